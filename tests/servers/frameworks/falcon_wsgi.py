"""The Falcon app on WSGI."""

import os
from typing import Any

import falcon

from dualmetrics_falcon.wsgi import DualMetrics


class Work:
    """A resource that answers with the worker's pid."""

    def on_get(self, request: Any, response: Any, number: int) -> None:
        """Answer with the worker's pid."""
        response.text = str(os.getpid())


api: Any = falcon.App()
api.add_route("/work/{number:int}", Work())
app = DualMetrics(api)
