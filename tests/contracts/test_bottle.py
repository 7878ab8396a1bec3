"""The contract on Bottle: rules with filters, and a mounted app."""

from __future__ import annotations

from typing import Any

import pytest
from bottle import Bottle, HTTPResponse

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, HandlerError, WsgiContract
from dualmetrics_bottle import DualMetrics

pytestmark = pytest.mark.frameworks


class TestBottle(WsgiContract):
    user_route = "/users/<id>"
    item_route = "/api/v1/items/<id>"
    status_route = "/status/<code:int>"

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Any:
        def find(id: str) -> Any:  # noqa: A002 - the parameter of the contract's template
            actions.note_active()
            return HTTPResponse("found", 404 if id == "missing" else 200)

        def boom() -> Any:
            raise HandlerError

        items, app = Bottle(), Bottle()
        items.get("/items/<id>", callback=find)
        app.get("/users/<id>", callback=find)
        app.get("/status/<code:int>", callback=answer)
        app.get("/boom", callback=boom)
        app.get("/stream", callback=actions.parts)
        app.get("/broken", callback=actions.broken_parts)
        app.get("/later", callback=actions.late_body)
        app.get("/folder/", callback=lambda: "fine")
        app.get("/health", callback=lambda: "fine")
        app.mount("/api/v1/", items)
        DualMetrics(app, telemetry=telemetry)
        return app


def answer(code: int) -> Any:
    response = HTTPResponse("")
    response.status = code
    return response
