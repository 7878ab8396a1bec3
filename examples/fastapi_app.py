"""The same shop on FastAPI. Run it with ``uvicorn --workers 2 --app-dir examples fastapi_app:app``.

Needs the extra ``fastapi``, uvicorn, and websockets for the route ``/echo``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from opentelemetry import metrics

from dualmetrics_starlette import DualMetrics

# FastAPI would record its own metrics too. dualmetrics does not export them, so they would only cost time.
app = FastAPI(telemetry={"metrics": False})
DualMetrics(app)

meter = metrics.get_meter("shop")
orders = meter.create_counter("shop.orders", "{order}", "Orders placed.")
baskets = meter.create_histogram(
    "shop.basket.value", "EUR", "Value of the orders.", explicit_bucket_boundaries_advisory=[10, 50, 100]
)
carts = meter.create_up_down_counter("shop.carts.open", "{cart}", "Carts that are not checked out yet.")
stock = meter.create_gauge("shop.stock", "{item}", "Items in stock.")


@app.get("/", response_class=PlainTextResponse)
async def home() -> str:
    """Return the pid of the worker that answers."""
    return str(os.getpid())


@app.get("/users/{user}", response_class=PlainTextResponse)
async def show_user(user: int) -> str:
    """Show a user. All users are counted in one series, because they share the route."""
    return f"user {user}"


@app.post("/orders/{value}", response_class=PlainTextResponse)
async def order(value: int) -> str:
    """Place an order, and record it with four kinds of instruments."""
    carts.add(1)
    orders.add(1, {"payment": "card"})
    baskets.record(value, {"payment": "card"})
    stock.set(1000 - value)
    carts.add(-1)
    return "thank you"


@app.get("/error")
async def error() -> None:
    """Fail with an unhandled exception."""
    raise RuntimeError("this route always fails")


@app.get("/stream")
async def stream() -> StreamingResponse:
    """Send a response in pieces. Its duration ends with the last piece."""

    def pieces() -> Iterator[str]:
        yield from ("one ", "two ", "three")

    return StreamingResponse(pieces(), media_type="text/plain")


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Send back one message. The connection is active meanwhile, but not counted as a request."""
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()
