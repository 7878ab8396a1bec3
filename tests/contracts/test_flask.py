"""The contract on Flask: rules with converters, and a blueprint with a prefix."""

from __future__ import annotations

from flask import Blueprint, Flask, Response

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, HandlerError, WsgiContract
from dualmetrics.testing.contracts.wsgi import AddMiddleware
from dualmetrics_flask import DualMetrics


class TestFlask(WsgiContract):
    user_route = "/users/<id>"
    item_route = "/api/v1/items/<id>"
    status_route = "/status/<int:code>"
    slash_redirect = 308

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Flask:
        app = Flask("site")
        items = Blueprint("items", "site")

        @app.get("/users/<id>")
        @items.get("/items/<id>")
        def find(id: str) -> tuple[str, int]:  # noqa: A002 - the parameter of the contract's template
            actions.note_active()
            return ("not found", 404) if id == "missing" else ("found", 200)

        @app.get("/boom")
        def boom() -> str:
            raise HandlerError

        app.add_url_rule("/status/<int:code>", "status", lambda code: Response(status=code))
        app.add_url_rule("/stream", "stream", lambda: Response(actions.parts()))
        app.add_url_rule("/broken", "broken", lambda: Response(actions.broken_parts()))
        app.add_url_rule("/later", "later", lambda: Response(actions.late_body()))
        app.add_url_rule("/folder/", "folder", lambda: "fine")
        app.add_url_rule("/health", "health", lambda: "fine")
        app.register_blueprint(items, url_prefix="/api/v1")
        DualMetrics(app, telemetry=telemetry)
        return app

    def add_middleware(self, app: Flask, middleware: AddMiddleware) -> Flask:
        app.wsgi_app = middleware(app.wsgi_app)  # type: ignore[assignment, method-assign]  # its own way
        return app
