"""The ASGI app under test: one line added."""

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
    """Count one of the app's own, and answer with the worker's pid."""
    jobs.add(1, {"where": "request"})
    return PlainTextResponse(str(os.getpid()))


app = Starlette(routes=[Route("/work/{number:int}", work)])
DualMetrics(app)
