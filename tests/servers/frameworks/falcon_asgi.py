"""The Falcon app on ASGI."""

import os
from typing import Any

import falcon.asgi

from dualmetrics_falcon.asgi import DualMetrics


class Work:
    """A resource that answers with the worker's pid."""

    async def on_get(self, request: Any, response: Any, number: int) -> None:
        """Answer with the worker's pid."""
        response.text = str(os.getpid())


api: Any = falcon.asgi.App()
api.add_route("/work/{number:int}", Work())
app = DualMetrics(api)
