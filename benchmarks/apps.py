"""The apps under measurement, without any metrics: ten routes, of which one is asked."""

from __future__ import annotations

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

PATH = "/orders/17"
"""What every request asks for."""

TABLES = ("users", "items", "carts", "orders", "bills", "notes", "files", "teams", "rooms", "plans")


def starlette_app() -> Starlette:
    """A Starlette app."""
    return Starlette(routes=[Route(f"/{table}/{{number:int}}", starlette_view) for table in TABLES])


async def starlette_view(request: Request) -> Response:
    """Answer at once."""
    return PlainTextResponse("ok")


def flask_app() -> Flask:
    """A Flask app."""
    app = Flask("benchmarks")
    for table in TABLES:
        app.add_url_rule(f"/{table}/<int:number>", table, flask_view)
    return app


def flask_view(number: int) -> str:
    """Answer at once."""
    return "ok"
