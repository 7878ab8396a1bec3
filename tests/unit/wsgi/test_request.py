"""One request on its way through the middleware; see `dualmetrics.testing.contracts` for what is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pytest

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HandlerError
from dualmetrics.wsgi import MetricsMiddleware
from tests.unit.wsgi.apps import ENVIRON, fetch_body, hello

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


def test_failing_route_namer_is_reported_once(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    def fail(environ: dict[str, Any]) -> str:
        raise HandlerError

    app = MetricsMiddleware(hello, telemetry=telemetry, route_namer=fail)
    assert (fetch_body(app, "/"), fetch_body(app, "/")) == (b"hello", b"hello")
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 2}
    assert (telemetry.errors.error_count, len(caplog.records)) == (2, 1)


def test_request_is_recorded_when_the_whole_body_is_handed_over(telemetry: Telemetry) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return iter([b"ab", b"cd"])

    middleware = MetricsMiddleware(app, telemetry=telemetry)
    parts = iter(middleware({**ENVIRON}, lambda *started: lambda written: None))
    assert next(parts) == b"ab"
    assert Recorded(telemetry).counts() == {}
    assert next(parts) == b"cd"
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 1}
    assert Recorded(telemetry).active() == {}
