"""What a handler says about its own request, and which handlers are excluded."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from flask import Flask
from pyramid.config import Configurator
from pyramid.response import Response as PyramidResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import dualmetrics_flask
import dualmetrics_pyramid
import dualmetrics_starlette
from dualmetrics import DeclaredAttribute, Telemetry, current_request, exclude_from_metrics
from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.http.current_request import DETAILED_REQUESTS
from dualmetrics.testing import Recorded, fetch
from dualmetrics.testing.wsgi_client import WsgiCall


@pytest.fixture(autouse=True)
def nobody_wants_details(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DETAILED_REQUESTS, "are_wanted", False)


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        directory=str(tmp_path),
        attributes=[
            DeclaredAttribute("tenant", ["a", "b"]),
            DeclaredAttribute("app.plan", ["pro"]),
            DeclaredAttribute("client", ["web"], header="X-Client"),
            DeclaredAttribute("query", ["q"], value_of=lambda scope: scope["query_string"].decode() or None),
        ],
    )
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)


def starlette(telemetry: Telemetry, endpoint: Any, path: str = "/") -> Starlette:
    app = Starlette(routes=[Route(path, endpoint)])
    dualmetrics_starlette.DualMetrics(app, telemetry=telemetry)
    return app


def attributes(recorded: Recorded) -> dict[str, Any]:
    """The declared attributes of the only series of requests."""
    [point] = recorded.points("http.requests")
    return {name: value for name, value in point.attributes if not name.startswith("http.")}


def test_a_handler_in_a_thread_may_set_attributes(telemetry: Telemetry, recorded: Recorded) -> None:
    def show(request: Request) -> Response:
        assert threading.current_thread() is not threading.main_thread()
        current_request().set({"app.plan": "pro"}, tenant="a")
        return PlainTextResponse("")

    fetch(starlette(telemetry, show), "GET", "/")
    assert attributes(recorded) == {"tenant": "a", "app.plan": "pro"}


def test_a_handler_behind_a_task_of_middleware_may_set_attributes(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    async def show(request: Request) -> Response:
        current_request().set(tenant="a")
        current_request().set(tenant="b")
        return PlainTextResponse("")

    async def dispatch(request: Request, call_next: Any) -> Response:
        answer: Response = await call_next(request)
        return answer

    app = starlette(telemetry, show)
    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    fetch(app, "GET", "/")
    assert attributes(recorded) == {"tenant": "b"}


@pytest.mark.parametrize("value", ["z", "a ", "", 1, ["a"], b"a"])
def test_a_value_that_is_not_declared_is_other(
    telemetry: Telemetry, recorded: Recorded, value: object
) -> None:
    async def show(request: Request) -> Response:
        current_request().set(tenant=value)
        return PlainTextResponse("")

    fetch(starlette(telemetry, show), "GET", "/")
    assert attributes(recorded) == {"tenant": "_OTHER"}


def test_none_takes_a_value_away(telemetry: Telemetry, recorded: Recorded) -> None:
    async def show(request: Request) -> Response:
        current_request().set(tenant="a", client=None)
        current_request().set(tenant=None)
        return PlainTextResponse("")

    fetch(starlette(telemetry, show), "GET", "/", headers=[(b"x-client", b"web")])
    assert attributes(recorded) == {}


def test_a_header_and_a_function_give_values(telemetry: Telemetry, recorded: Recorded) -> None:
    async def show(request: Request) -> Response:
        return PlainTextResponse("")

    app = starlette(telemetry, show)
    fetch(app, "GET", "/", headers=[(b"X-Client", b"web")], query_string=b"q")
    assert attributes(recorded) == {"client": "web", "query": "q"}
    telemetry.reset()
    for number in range(5):  # clients cannot make series
        headers = [(b"x-client", f"evil{number}".encode())]
        fetch(app, "GET", "/", headers=headers, query_string=f"{number}".encode())
    assert attributes(recorded) == {"client": "_OTHER", "query": "_OTHER"}


def test_a_function_that_fails_gives_no_value_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    declared = DeclaredAttribute("tenant", ["a"], value_of=lambda scope: scope["missing"])
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), attributes=[declared])

    async def show(request: Request) -> Response:
        return PlainTextResponse("")

    app = starlette(telemetry, show)
    for _ in range(2):
        assert fetch(app, "GET", "/").status == 200
    assert attributes(Recorded(telemetry)) == {}
    assert (telemetry.errors.error_count, len(caplog.records)) == (2, 1)
    telemetry.shutdown()


def test_a_name_that_is_not_declared_is_counted_and_logged_once(
    telemetry: Telemetry, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    async def show(request: Request) -> Response:
        current_request().set(tenant="a", region="eu")
        return PlainTextResponse("")

    app = starlette(telemetry, show)
    for _ in range(3):
        fetch(app, "GET", "/")
    assert attributes(recorded) == {"tenant": "a"}
    assert telemetry.errors.error_count == 3
    [message] = [record.getMessage() for record in caplog.records]
    assert "region" in message


def test_nothing_happens_outside_of_a_request(
    telemetry: Telemetry, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    def later() -> None:
        current_request().set(tenant="b", region="eu")

    async def show(request: Request) -> Response:
        current_request().set(tenant="a")
        return PlainTextResponse("", background=BackgroundTask(later))

    current_request().set(tenant="b")
    fetch(starlette(telemetry, show), "GET", "/")
    current_request().set(tenant="b", region="eu")
    assert attributes(recorded) == {"tenant": "a"}
    assert (telemetry.errors.error_count, caplog.records) == (0, [])


def test_a_request_inside_of_a_request_is_another_one(telemetry: Telemetry, recorded: Recorded) -> None:
    async def inner(request: Request) -> Response:
        current_request().set(tenant="b")
        return PlainTextResponse("")

    inner_app = starlette(telemetry, inner, "/inner")

    async def outer(request: Request) -> Response:
        scope = {**request.scope, "path": "/inner"}
        scope.pop("dualmetrics.request")  # as a client in this process would send it

        async def send(message: Any) -> None:
            pass

        await inner_app(scope, request.receive, send)
        current_request().set(client="web")
        return PlainTextResponse("")

    fetch(starlette(telemetry, outer), "GET", "/")
    found = {
        dict(each.attributes)["http.route"]: dict(each.attributes)
        for each in recorded.points("http.requests")
    }
    assert "tenant" not in found["/"]
    assert (found["/"]["client"], found["/inner"]["tenant"], "client" in found["/inner"]) == (
        "web",
        "b",
        False,
    )


def test_both_of_two_telemetries_learn_an_attribute(
    telemetry: Telemetry, recorded: Recorded, tmp_path: Path
) -> None:
    other = Telemetry(
        metrics_exporter="prometheus", directory=str(tmp_path), attributes={"tenant": ["a"], "region": ["eu"]}
    )

    async def show(request: Request) -> Response:
        current_request().set(tenant="a", region="eu", client="web")
        return PlainTextResponse("")

    fetch(MetricsMiddleware(starlette(telemetry, show), telemetry=other), "GET", "/")
    assert attributes(recorded) == {"tenant": "a", "client": "web"}
    assert attributes(Recorded(other)) == {"tenant": "a", "region": "eu"}
    assert (telemetry.errors.error_count, other.errors.error_count) == (0, 0)
    other.shutdown()


def test_many_requests_in_one_context_keep_nothing(tmp_path: Path) -> None:
    """A server may serve all requests of a connection, or of a thread, in one context."""
    telemetry = Telemetry(
        metrics_exporter="prometheus", directory=str(tmp_path), attributes={"tenant": ["a"]}
    )
    app = Flask("site")
    dualmetrics_flask.DualMetrics(app, telemetry=telemetry)

    @app.get("/")
    def show() -> str:
        current_request().set(tenant="a")
        return ""

    for _ in range(3):
        app.test_client().get("/")
    [current] = [value for value in contextvars.copy_context().values() if hasattr(value, "leave_out")]
    assert (current.outer, current.request, current.in_progress) == (None, None, False)
    telemetry.shutdown()


def test_it_says_so_if_nobody_declares_attributes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DETAILED_REQUESTS, "are_in_use", False)
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))

    async def show(request: Request) -> Response:
        current_request().set(tenant_of_nobody="a")
        return PlainTextResponse("")

    app = starlette(telemetry, show)
    for _ in range(2):
        assert fetch(app, "GET", "/").status == 200
    [message] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert "tenant_of_nobody" in message
    telemetry.shutdown()


class TestExclude:
    """`exclude_from_metrics`, on what an app may have as handlers."""

    @pytest.mark.parametrize("is_async", [False, True])
    def test_a_function_stays_what_it_was(self, is_async: bool) -> None:
        async def show_async(user: int) -> int:
            return user

        def show(user: int) -> int:
            return user

        excluded: Any = exclude_from_metrics(show_async if is_async else show)
        assert asyncio.iscoroutinefunction(excluded) is is_async
        assert excluded.__name__ == ("show_async" if is_async else "show")
        assert (asyncio.run(excluded(7)) if is_async else excluded(user=7)) == 7

    def test_a_class_is_refused(self) -> None:
        with pytest.raises(TypeError, match="takes a function or a method"):
            exclude_from_metrics(HTTPEndpoint)

    def test_a_method_of_a_class_is_excluded(self, telemetry: Telemetry, recorded: Recorded) -> None:
        class Health(HTTPEndpoint):
            @exclude_from_metrics
            async def get(self, request: Request) -> Response:
                return PlainTextResponse("fine")

            async def post(self, request: Request) -> Response:
                return PlainTextResponse("fine")

        app = starlette(telemetry, Health)
        assert fetch(app, "GET", "/").body == b"fine"
        fetch(app, "POST", "/")
        assert [labels.method for labels in recorded.counts()] == ["POST"]
        assert recorded.active() == {}

    def test_both_of_two_telemetries_exclude_it(
        self, telemetry: Telemetry, recorded: Recorded, tmp_path: Path
    ) -> None:
        @exclude_from_metrics
        def show(request: Request) -> Response:
            return PlainTextResponse("fine")

        other = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
        fetch(MetricsMiddleware(starlette(telemetry, show), telemetry=other), "GET", "/")
        assert (recorded.counts(), Recorded(other).counts()) == ({}, {})
        other.shutdown()

    def test_a_callable_object_stays_async(self, telemetry: Telemetry, recorded: Recorded) -> None:
        class Show:
            async def __call__(self, request: Request) -> Response:
                return PlainTextResponse("fine")

        handler: Any = exclude_from_metrics(Show())
        assert asyncio.iscoroutinefunction(handler)
        assert fetch(starlette(telemetry, handler), "GET", "/").body == b"fine"
        assert recorded.counts() == {}

    def test_annotations_that_are_strings_are_those_of_the_handler(
        self, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        @exclude_from_metrics
        def show(user: int, request: Request) -> dict[str, int]:
            return {"user": user + 1}

        assert show.__annotations__["request"] == "Request"
        app = FastAPI()
        app.get("/{user}")(show)
        dualmetrics_starlette.DualMetrics(app, telemetry=telemetry)
        assert fetch(app, "GET", "/7").body == b'{"user":8}'
        assert recorded.counts() == {}

    def test_a_view_of_pyramid_keeps_its_arguments(self, telemetry: Telemetry, recorded: Recorded) -> None:
        @exclude_from_metrics
        def show(request: Any) -> PyramidResponse:
            return PyramidResponse(request.path)

        with Configurator() as config:
            dualmetrics_pyramid.DualMetrics(config, telemetry=telemetry)
            config.add_route("show", "/show")
            config.add_view(show, route_name="show")
            call = WsgiCall(config.make_wsgi_app(), PATH_INFO="/show")
        assert b"".join(call.send_all()) == b"/show"
        assert recorded.counts() == {}

    def test_a_view_of_flask_is_excluded(self, telemetry: Telemetry, recorded: Recorded) -> None:
        app = Flask("site")
        dualmetrics_flask.DualMetrics(app, telemetry=telemetry)

        @app.get("/health")
        @exclude_from_metrics
        def health() -> str:
            return "fine"

        assert app.test_client().get("/health").text == "fine"
        assert (recorded.counts(), recorded.active()) == ({}, {})
