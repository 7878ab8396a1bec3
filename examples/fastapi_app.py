"""The same shop on FastAPI. Run it: ``uvicorn --workers 2 --app-dir examples fastapi_app:app``."""

from __future__ import annotations

import os
from collections.abc import Iterator

from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from opentelemetry import metrics

from dualmetrics_starlette import DualMetrics

# FastAPI would record its own metrics too; that costs time, and dualmetrics leaves them out anyway.
app = FastAPI(telemetry={"metrics": False})
DualMetrics(app)

meter = metrics.get_meter("shop")
orders = meter.create_counter("shop.orders", "{order}", "Orders placed.")
baskets = meter.create_histogram(
    "shop.basket.value", "EUR", "Value of the orders.", explicit_bucket_boundaries_advisory=[10, 50, 100]
)
carts = meter.create_up_down_counter("shop.carts.open", "{cart}", "Carts that are being filled.")
stock = meter.create_gauge("shop.stock", "{item}", "Items in stock.")


@app.get("/", response_class=PlainTextResponse)
async def home() -> str:
    """Say which worker answers."""
    return str(os.getpid())


@app.get("/users/{user}", response_class=PlainTextResponse)
async def show_user(user: int) -> str:
    """One route, one series, however many users there are."""
    return f"user {user}"


@app.post("/orders/{value}", response_class=PlainTextResponse)
async def order(value: int) -> str:
    """Record the app's own instruments: all four kinds."""
    carts.add(1)
    orders.add(1, {"payment": "card"})
    baskets.record(value, {"payment": "card"})
    stock.set(1000 - value)
    carts.add(-1)
    return "thank you"


@app.get("/error")
async def error() -> None:
    """Fail, as apps do."""
    raise RuntimeError("this route always fails")


@app.get("/stream")
async def stream() -> StreamingResponse:
    """A response in pieces: its duration ends with the last one."""

    def pieces() -> Iterator[str]:
        yield from ("one ", "two ", "three")

    return StreamingResponse(pieces(), media_type="text/plain")


@app.websocket("/echo")
async def echo(socket: WebSocket) -> None:
    """Send back one message; active while it lasts, and in no counter."""
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()
