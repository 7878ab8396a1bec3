"""The Litestar app."""

from __future__ import annotations

import os
from typing import Any

from litestar import Litestar, MediaType, Request, Router, get

from dualmetrics_litestar import DualMetrics


@get("/{number:int}", media_type=MediaType.TEXT)
async def work(request: Request[Any, Any, Any]) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())


app = Litestar([Router("/work", route_handlers=[work])])
DualMetrics(app)
