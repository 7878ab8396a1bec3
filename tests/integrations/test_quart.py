"""Quart: what is not in the contract."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from quart import Quart, request, websocket

from dualmetrics import SettingsError, Telemetry
from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.testing import Recorded, RequestLabels, fetch
from dualmetrics_quart import DualMetrics, set_route

pytestmark = pytest.mark.frameworks


def get(app: Any, path: str) -> int:
    return fetch(app, "GET", path).status


def test_the_plain_middleware_finds_the_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    app = Quart("site")
    app.add_url_rule("/users/<id>", view_func=lambda id: id)  # noqa: A006 - as in the rule
    plain: Any = app
    assert get(MetricsMiddleware(plain, telemetry=telemetry), "/users/7") == 200
    assert recorded.counts() == {RequestLabels("GET", "/users/<id>", 200): 1}


def test_a_route_of_the_app_takes_precedence_and_error_handlers_decide_the_status(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    app = Quart("site")
    DualMetrics(app, telemetry=telemetry)

    @app.get("/named")
    async def named() -> str:
        scope: Any = request.scope
        set_route(scope, "/chosen")
        return "named"

    @app.get("/fail")
    async def fail() -> str:
        raise ZeroDivisionError

    @app.errorhandler(ZeroDivisionError)
    async def teapot(error: ZeroDivisionError) -> tuple[str, int]:
        return "teapot", 418

    assert [get(app, path) for path in ("/named", "/fail", "/none")] == [200, 418, 404]
    assert recorded.counts() == {
        RequestLabels("GET", "/chosen", 200): 1,
        RequestLabels("GET", "/fail", 418): 1,
        RequestLabels("GET", "unmatched", 404): 1,
    }


def test_a_websocket_is_active_while_it_is_open(telemetry: Telemetry, recorded: Recorded) -> None:
    app = Quart("site")
    DualMetrics(app, telemetry=telemetry)
    seen = []

    @app.websocket("/socket")
    async def socket() -> None:
        seen.append(recorded.active())
        await websocket.send("hello")

    async def talk() -> None:
        async with app.test_client().websocket("/socket") as client:
            assert await client.receive() == "hello"

    asyncio.run(talk())
    assert (seen, recorded.active(), recorded.counts()) == ([{"WEBSOCKET": 1}], {}, {})


def test_a_taken_metrics_path_is_refused(telemetry: Telemetry) -> None:
    app = Quart("site")
    app.add_url_rule("/metrics", view_func=lambda: "mine")
    with pytest.raises(SettingsError, match="already has this path"):
        DualMetrics(app, telemetry=telemetry)
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)
