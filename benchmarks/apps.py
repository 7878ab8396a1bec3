"""The apps under measurement, without any metrics: some routes, of which the last one is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ROUTES = 10


def tables(routes: int) -> Iterator[str]:
    """Names for so many routes."""
    return (f"table{number}" for number in range(routes))


def path(routes: int = ROUTES) -> str:
    """What every request asks for."""
    return f"/table{routes - 1}/17"


def starlette_app(routes: int = ROUTES) -> Any:
    """A Starlette app."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    async def view(request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route(f"/{table}/{{number:int}}", view, name=table) for table in tables(routes)])


def fastapi_app(**options: Any) -> Any:
    """A FastAPI app."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI(**options)

    async def view(number: int) -> PlainTextResponse:
        return PlainTextResponse("ok")

    for table in tables(ROUTES):
        app.add_api_route(f"/{table}/{{number}}", view, name=table, response_class=PlainTextResponse)
    return app


def flask_app(routes: int = ROUTES) -> Any:
    """A Flask app."""
    from flask import Flask

    app = Flask("benchmarks")

    def view(number: int) -> str:
        return "ok"

    for table in tables(routes):
        app.add_url_rule(f"/{table}/<int:number>", table, view)
    return app
