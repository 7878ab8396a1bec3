"""The ASGI app of the tests: a Starlette app with the one line that is documented."""

from __future__ import annotations

import os

from opentelemetry import metrics
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dualmetrics_starlette import DualMetrics

jobs = metrics.get_meter("tests").create_counter("jobs")
if "RECORD_AT_IMPORT" in os.environ:
    jobs.add(1, {"where": "import"})


async def work(request: Request) -> Response:
    """Count in a counter of the app, and answer with the worker's pid."""
    jobs.add(1, {"where": "request"})
    return PlainTextResponse(str(os.getpid()))


app = Starlette(routes=[Route("/work/{number:int}", work)])
DualMetrics(app)
