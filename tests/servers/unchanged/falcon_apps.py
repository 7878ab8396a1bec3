"""The apps of Falcon on WSGI and on ASGI."""

import os
from typing import Any

import falcon
import falcon.asgi


class Work:
    """A resource that answers with the worker's pid."""

    def on_get(self, request: Any, response: Any, number: int) -> None:
        """Answer with the worker's pid."""
        response.text = str(os.getpid())


class AsyncWork:
    """The same on ASGI."""

    async def on_get(self, request: Any, response: Any, number: int) -> None:
        """Answer with the worker's pid."""
        response.text = str(os.getpid())


app: Any = falcon.App()
app.add_route("/work/{number:int}", Work())
asgi_app: Any = falcon.asgi.App()
asgi_app.add_route("/work/{number:int}", AsyncWork())
