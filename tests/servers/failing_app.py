"""A raw ASGI app whose startup fails, with the metrics middleware if METRICS is set."""

from __future__ import annotations

import os
from typing import Any

from dualmetrics.asgi import MetricsMiddleware, Receive, Scope, Send


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        if os.environ.get("FAIL") == "late":
            await receive()
        raise RuntimeError("no database")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"serving"})


app: Any = MetricsMiddleware(_app) if os.environ.get("METRICS") else _app
