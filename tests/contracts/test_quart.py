"""The contract on Quart: rules with converters, and a blueprint with a prefix."""

from __future__ import annotations

import pytest
from quart import Blueprint, Quart, Response

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, AsgiContract, HandlerError
from dualmetrics_quart import DualMetrics

pytestmark = pytest.mark.frameworks


class TestQuart(AsgiContract):
    user_route = "/users/<id>"
    item_route = "/api/v1/items/<id>"
    status_route = "/status/<int:code>"
    slash_redirect = 308

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Quart:
        app = Quart("site")
        items = Blueprint("items", "site")

        @app.get("/users/<id>")
        @items.get("/items/<id>")
        async def find(id: str) -> tuple[str, int]:  # noqa: A002 - the parameter of the contract's template
            actions.note_active()
            return ("not found", 404) if id == "missing" else ("found", 200)

        @app.get("/status/<int:code>")
        async def status(code: int) -> Response:
            return Response("", status=code)

        @app.get("/boom")
        async def boom() -> str:
            raise HandlerError

        @app.get("/stream")
        async def stream() -> Response:
            return Response(actions.async_parts())

        @app.get("/broken")
        async def broken() -> Response:
            return Response(actions.async_broken_parts())

        @app.get("/later")
        async def later() -> str:
            app.add_background_task(actions.work_after_response)
            return "done"

        @app.get("/folder/", endpoint="folder")
        @app.get("/health", endpoint="health")
        async def fine() -> str:
            return "fine"

        app.register_blueprint(items, url_prefix="/api/v1")
        DualMetrics(app, telemetry=telemetry)
        return app
