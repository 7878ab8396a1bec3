"""A small shop, whose errors and slowness come from the environment: a variant of an experiment."""

from __future__ import annotations

import asyncio
import os
import random
from typing import Any

from dualmetrics.asgi import MetricsMiddleware, set_route

FAILING = float(os.environ.get("SHOP_FAILING", "0.01"))
SECONDS = float(os.environ.get("SHOP_SECONDS", "0.004"))


async def shop(scope: Any, receive: Any, send: Any) -> None:
    """Answer after a while; now and then with an error."""
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    set_route(scope, "/basket")
    await asyncio.sleep(SECONDS * random.lognormvariate(0, 0.5))
    status = 500 if random.random() < FAILING else 200
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b"basket"})


app = MetricsMiddleware(shop)
