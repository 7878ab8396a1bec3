"""The apps that are measured, without any metrics. Every request asks for the last of their routes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ROUTES = 10


def table_names(routes: int) -> Iterator[str]:
    """A name for each route."""
    return (f"table{number}" for number in range(routes))


def path(routes: int = ROUTES) -> str:
    """The path of every request."""
    return f"/table{routes - 1}/17"


def starlette_app(routes: int = ROUTES) -> Any:
    """A Starlette app."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, Response
    from starlette.routing import Route

    async def view(request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[Route(f"/{table}/{{number:int}}", view, name=table) for table in table_names(routes)]
    )


def fastapi_app(**options: Any) -> Any:
    """A FastAPI app."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    app = FastAPI(**options)

    async def view(number: int) -> PlainTextResponse:
        return PlainTextResponse("ok")

    for table in table_names(ROUTES):
        app.add_api_route(f"/{table}/{{number}}", view, name=table, response_class=PlainTextResponse)
    return app


def flask_app(routes: int = ROUTES) -> Any:
    """A Flask app."""
    from flask import Flask

    app = Flask("benchmarks")

    def view(number: int) -> str:
        return "ok"

    for table in table_names(routes):
        app.add_url_rule(f"/{table}/<int:number>", table, view)
    return app
