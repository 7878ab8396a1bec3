"""A variant of an experiment: a small shop whose error rate and latency are set by the environment."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from dualmetrics.asgi import MetricsMiddleware, set_route

ERROR_RATE = float(os.environ.get("SHOP_FAILING", "0.01"))
MEDIAN_SECONDS = float(os.environ.get("SHOP_SECONDS", "0.004"))


async def shop(scope: Any, receive: Any, send: Any) -> None:
    """Answer after a random time, sometimes with an error."""
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    set_route(scope, "/basket")
    await asyncio.sleep(MEDIAN_SECONDS * random.lognormvariate(0, 0.5))
    status = 500 if random.random() < ERROR_RATE else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"basket"})


app = MetricsMiddleware(shop)
