"""What the WSGI middleware does beside recording: the page, naming, and doing nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.test import Client

from dualmetrics.config.settings import SettingsError
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HandlerError
from dualmetrics.wsgi import MetricsMiddleware, metrics_app

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


ENVIRON = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    made = Telemetry(metrics_exporter="prometheus", exclude="/grün,/é*", directory=str(tmp_path))
    yield made
    made.shutdown()


def hello(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


def body(app: Any, path: str, **options: Any) -> bytes:
    data: bytes = Client(app).get(path, buffered=True, **options).data
    return data


def test_the_page_alone_is_an_app(telemetry: Telemetry) -> None:
    body(MetricsMiddleware(hello, telemetry=telemetry), "/")
    assert b"http_requests" in body(metrics_app(telemetry), "/whatever")


def test_the_page_hears_headers_query_and_client(tmp_path: Path) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        metrics_token="secret",
        metrics_allow="10.0.0.0/8",
        directory=str(tmp_path),
    )
    client, token = Client(metrics_app(telemetry)), {"Authorization": "Bearer secret"}
    inside, outside = {"REMOTE_ADDR": "10.0.0.1"}, {"REMOTE_ADDR": "192.0.2.1"}
    assert client.get("/", environ_base=inside).status_code == 401
    assert client.get("/", environ_base=outside, headers=token).status_code == 403
    body(MetricsMiddleware(hello, telemetry=telemetry), "/")
    page = client.get("/?name[]=http_connections_active", environ_base=inside, headers=token).data
    assert b"http_connections_active" in page
    assert b"http_requests" not in page
    telemetry.shutdown()


def test_excluded_paths_may_have_any_letters(telemetry: Telemetry) -> None:
    app = MetricsMiddleware(hello, telemetry=telemetry)
    for path in ("/gr%C3%BCn", "/%C3%A9cole"):
        assert body(app, path) == b"hello"
    assert Recorded(telemetry).counts() == {}


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_switched_off_everything_passes_through(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    app = MetricsMiddleware(hello, telemetry=telemetry)
    assert (body(app, "/"), body(app, "/metrics")) == (b"hello", b"hello")
    assert Client(metrics_app(telemetry)).get("/").status_code == 404
    assert (Recorded(telemetry).counts(), Recorded(telemetry).active()) == ({}, {})


def test_the_metrics_path_can_be_left_to_the_app(telemetry: Telemetry) -> None:
    assert body(MetricsMiddleware(hello, telemetry=telemetry, answer=False), "/metrics") == b"hello"
    assert Recorded(telemetry).counts() == {}


def test_a_bad_setting_is_refused_at_construction() -> None:
    with pytest.raises(SettingsError, match="convention"):
        MetricsMiddleware(hello, convention="modern")


def test_what_names_routes_may_fail(telemetry: Telemetry, caplog: pytest.LogCaptureFixture) -> None:
    def name(environ: dict[str, Any]) -> str:
        raise HandlerError

    app = MetricsMiddleware(hello, telemetry=telemetry, route=name)
    assert (body(app, "/"), body(app, "/")) == (b"hello", b"hello")
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 2}
    assert (telemetry.errors.error_count, len(caplog.records)) == (2, 1)


def test_a_whole_body_is_counted_before_a_client_closes_it(telemetry: Telemetry) -> None:
    def sized(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Length", "4")])
        return iter([b"ab", b"cd"])

    environ: dict[str, Any] = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}
    app = MetricsMiddleware(sized, telemetry=telemetry)
    parts = iter(app(environ, lambda *started: lambda written: None))
    assert next(parts) == b"ab"
    assert Recorded(telemetry).counts() == {}
    assert next(parts) == b"cd"
    assert Recorded(telemetry).counts() == {RequestLabels("GET", "unmatched", 200): 1}
    assert Recorded(telemetry).active() == {}


@pytest.mark.parametrize(
    ("protocol", "version"), [("HTTP/1.0", "1.0"), ("HTTP/1.1", "1.1"), ("HTTP/2.0", "2"), ("GOPHER", None)]
)
def test_the_version_of_the_protocol(tmp_path: Path, protocol: str, version: str | None) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    body(MetricsMiddleware(hello, telemetry=telemetry), "/", environ_overrides={"SERVER_PROTOCOL": protocol})
    (point,) = Recorded(telemetry).points("http.server.request.duration")
    assert dict(point.attributes).get("network.protocol.version") == version
    telemetry.shutdown()


def test_a_content_length_that_is_no_number_stops_nobody(telemetry: Telemetry) -> None:
    def app(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [("content-length", "\u00b2"), ("Content-Length", "x")])
        return [b"ab"]

    sent = MetricsMiddleware(app, telemetry=telemetry)({**ENVIRON}, lambda *arguments: print)
    assert list(sent) == [b"ab"]
