"""How the middleware gets the route of a request."""

from __future__ import annotations

from importlib.metadata import entry_points

import pytest
from starlette.applications import Starlette

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.asgi.route_names import ENTRY_POINT_GROUP, DeferredNamer, route_namer_for
from dualmetrics.asgi.types import Receive, Scope, Send
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import fetch
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HandlerError
from tests.unit.asgi.apps import hello


def test_starlette_has_an_entry_point() -> None:
    assert "starlette" in {entry_point.name for entry_point in entry_points(group=ENTRY_POINT_GROUP)}
    assert route_namer_for(Starlette()) is not None


def test_unknown_apps_have_no_route_names() -> None:
    assert route_namer_for(object()) is None
    assert DeferredNamer()({}, "/") is None


def test_failing_route_namer_is_reported_once(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    def fail(scope: Scope, path: str) -> str:
        raise HandlerError

    app = MetricsMiddleware(hello, telemetry=telemetry, route_namer=fail)
    for _ in range(2):
        assert fetch(app, "GET", "/").body == b"hello"
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 2}
    assert (telemetry.errors.error_count, len(caplog.records)) == (2, 1)


def test_route_namer_gets_the_path_without_the_root_path(telemetry: Telemetry) -> None:
    paths = []

    def namer(scope: Scope, path: str) -> str:
        paths.append(path)
        return "/named"

    app = MetricsMiddleware(hello, telemetry=telemetry, route_namer=namer)
    for path, root in (("/a/b", ""), ("/root/a", "/root"), ("/rooted", "/root"), ("/root", "/root")):
        fetch(app, "GET", path, root_path=root)
    assert paths == ["/a/b", "/a", "/rooted", ""]
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "/named", 200): 4}


def test_apps_that_wrap_each_other_in_a_circle_are_served(telemetry: Telemetry) -> None:
    class Circle:
        app: Circle

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await hello(scope, receive, send)

    circle = Circle()
    circle.app = circle
    assert fetch(MetricsMiddleware(circle, telemetry=telemetry), "GET", "/").body == b"hello"
