"""A small shop on Flask. Run it with ``gunicorn -w 2 --chdir examples flask_app:app``.

Needs the extra ``flask``, and gunicorn.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from flask import Flask, Response
from opentelemetry import metrics

from dualmetrics_flask import DualMetrics

app = Flask(__name__)
DualMetrics(app)

meter = metrics.get_meter("shop")
orders = meter.create_counter("shop.orders", "{order}", "Orders placed.")
baskets = meter.create_histogram(
    "shop.basket.value", "EUR", "Value of the orders.", explicit_bucket_boundaries_advisory=[10, 50, 100]
)
carts = meter.create_up_down_counter("shop.carts.open", "{cart}", "Carts that are not checked out yet.")
stock = meter.create_gauge("shop.stock", "{item}", "Items in stock.")


@app.get("/")
def home() -> str:
    """Return the pid of the worker that answers."""
    return str(os.getpid())


@app.get("/users/<int:user>")
def show_user(user: int) -> str:
    """Show a user. All users are counted in one series, because they share the route."""
    return f"user {user}"


@app.post("/orders/<int:value>")
def order(value: int) -> str:
    """Place an order, and record it with four kinds of instruments."""
    carts.add(1)
    orders.add(1, {"payment": "card"})
    baskets.record(value, {"payment": "card"})
    stock.set(1000 - value)
    carts.add(-1)
    return "thank you"


@app.get("/error")
def error() -> str:
    """Fail with an unhandled exception."""
    raise RuntimeError("this route always fails")


@app.get("/stream")
def stream() -> Response:
    """Send a response in pieces. Its duration ends with the last piece."""

    def pieces() -> Iterator[str]:
        yield from ("one ", "two ", "three")

    return Response(pieces(), mimetype="text/plain")
