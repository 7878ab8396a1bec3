"""The attribute rules of OpenTelemetry's stable *Semantic conventions for HTTP metrics*, and our own ones.

The attribute names are those of OpenTelemetry's own package.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.semconv.attributes import (
    error_attributes,
    http_attributes,
    network_attributes,
    server_attributes,
    url_attributes,
)
from opentelemetry.semconv.metrics.http_metrics import HTTP_SERVER_REQUEST_DURATION

from dualmetrics.config.loading import load_settings
from dualmetrics.http.request_attributes import RequestAttributes, ResponseAttributes
from dualmetrics.http.semantic_conventions import Classic, Semconv, conventions_for
from dualmetrics.model.attributes import AttributeValue
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Point
from dualmetrics.telemetry import Telemetry

METHOD = http_attributes.HTTP_REQUEST_METHOD
STATUS = http_attributes.HTTP_RESPONSE_STATUS_CODE
ROUTE = http_attributes.HTTP_ROUTE
ERROR = error_attributes.ERROR_TYPE
SCHEME = url_attributes.URL_SCHEME
PROTOCOL = network_attributes.NETWORK_PROTOCOL_NAME
VERSION = network_attributes.NETWORK_PROTOCOL_VERSION
ACTIVE = "http.server.active_requests"


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(convention="semconv", metrics_exporter="prometheus", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


def points(telemetry: Telemetry, name: str) -> tuple[Descriptor, list[Point]]:
    [family] = (family for family in telemetry.snapshot().families if family.descriptor.name == name)
    return family.descriptor, list(family.points)


def recorded(
    telemetry: Telemetry,
    method: str = "GET",
    scheme: str = "http",
    version: str | None = "1.1",
    *,
    route: str | None = "/users/{id}",
    status: int = 200,
    error: str | None = None,
) -> dict[str, AttributeValue]:
    """Record a request. Return the attributes of its duration."""
    recorder = telemetry.server_metrics.recorder_for(method, scheme, version)
    recorder.start()
    recorder.end(route, status, error, 0.25)
    _, [point] = points(telemetry, HTTP_SERVER_REQUEST_DURATION)
    return dict(point.attributes)


def test_duration_is_a_histogram_in_seconds(telemetry: Telemetry) -> None:
    recorded(telemetry)
    descriptor, [point] = points(telemetry, HTTP_SERVER_REQUEST_DURATION)
    assert (descriptor.kind.value, descriptor.unit, point.cells[-1]) == ("histogram", "s", 0.25)
    assert descriptor.bounds == (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


def test_request_has_these_attributes_and_no_others(telemetry: Telemetry) -> None:
    assert recorded(telemetry) == {
        METHOD: "GET",
        SCHEME: "http",
        ROUTE: "/users/{id}",
        STATUS: 200,
        VERSION: "1.1",
    }


@pytest.mark.parametrize("method", [value.value for value in http_attributes.HttpRequestMethodValues])
def test_http_request_method_of_known_methods(telemetry: Telemetry, method: str) -> None:
    assert recorded(telemetry, method)[METHOD] == method


@pytest.mark.parametrize("method", ["get", "PROPFIND", "X" * 100, ""])
def test_http_request_method_of_unknown_methods_and_spellings_is_other(
    telemetry: Telemetry, method: str
) -> None:
    assert recorded(telemetry, method)[METHOD] == "_OTHER"


@pytest.mark.parametrize(
    ("method", "expected"), [("PROPFIND", "PROPFIND"), ("GET", "GET"), ("POST", "_OTHER")]
)
@pytest.mark.parametrize("convention", ["classic", "semconv"])
def test_variable_replaces_the_known_methods(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, convention: str, method: str, expected: str
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, PROPFIND")
    telemetry = Telemetry(convention=convention, metrics_exporter="prometheus", directory=str(tmp_path))
    telemetry.server_metrics.recorder_for(method, "http", "1.1").start()
    families = telemetry.snapshot().families
    [family] = (family for family in families if "active" in family.descriptor.name)
    assert expected in dict(family.points[0].attributes).values()
    telemetry.shutdown()


@pytest.mark.parametrize("status", [100, 200, 302, 404, 599])
def test_http_response_status_code_is_a_number(telemetry: Telemetry, status: int) -> None:
    attribute = recorded(telemetry, status=status)[STATUS]
    assert (attribute, type(attribute)) == (status, int)


def test_http_route_is_the_template(telemetry: Telemetry) -> None:
    assert recorded(telemetry, route="/a/{b}")[ROUTE] == "/a/{b}"


def test_http_route_is_missing_if_no_route_matched(telemetry: Telemetry) -> None:
    assert ROUTE not in recorded(telemetry, route=None, status=404)


def test_error_type_is_the_class_of_the_exception(telemetry: Telemetry) -> None:
    assert recorded(telemetry, status=500, error="shop.OutOfStock")[ERROR] == "shop.OutOfStock"


def test_error_type_of_a_server_error_without_exception_is_the_status(telemetry: Telemetry) -> None:
    assert recorded(telemetry, status=503)[ERROR] == "503"


@pytest.mark.parametrize("status", [200, 304, 404, 499])
def test_error_type_is_missing_without_an_error(telemetry: Telemetry, status: int) -> None:
    assert ERROR not in recorded(telemetry, status=status)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_url_scheme_is_the_scheme_of_the_request(telemetry: Telemetry, scheme: str) -> None:
    assert recorded(telemetry, scheme=scheme)[SCHEME] == scheme


def test_url_scheme_that_a_client_invents_is_other(telemetry: Telemetry) -> None:
    assert recorded(telemetry, scheme="gopher")[SCHEME] == "_OTHER"


@pytest.mark.parametrize("version", ["1.0", "1.1", "2", "3"])
def test_network_protocol_version_is_the_version_of_http(telemetry: Telemetry, version: str) -> None:
    assert recorded(telemetry, version=version)[VERSION] == version


@pytest.mark.parametrize("version", [None, "7.7"])
def test_network_protocol_version_is_missing_if_unknown(telemetry: Telemetry, version: str | None) -> None:
    assert VERSION not in recorded(telemetry, version=version)


def test_network_protocol_name_is_missing_because_it_is_always_http(telemetry: Telemetry) -> None:
    assert PROTOCOL not in recorded(telemetry)


@pytest.mark.parametrize("name", [server_attributes.SERVER_ADDRESS, server_attributes.SERVER_PORT])
def test_server_address_and_port_are_missing_because_clients_choose_them(
    telemetry: Telemetry, name: str
) -> None:
    assert name not in recorded(telemetry)
    _, [active] = points(telemetry, ACTIVE)
    assert name not in dict(active.attributes)


def test_active_requests_have_method_and_scheme_and_nothing_else(telemetry: Telemetry) -> None:
    telemetry.server_metrics.recorder_for("POST", "https", "2").start()
    descriptor, [point] = points(telemetry, ACTIVE)
    assert dict(point.attributes) == {METHOD: "POST", SCHEME: "https"}
    assert (descriptor.kind.value, descriptor.unit, point.cells[0]) == ("up_down_counter", "{request}", 1)


@pytest.mark.parametrize(
    ("opt_in", "own", "expected"),
    [
        ("http", "", "semconv"),
        ("http/dup", "", "both"),
        ("http,http/dup", "", "both"),
        ("database/dup, http ,messaging", "", "semconv"),
        ("database,messaging/dup", "", "classic"),
        ("HTTP", "", "classic"),
        ("", "", "classic"),
        ("http", "classic", "classic"),
        ("http/dup", "semconv", "semconv"),
    ],
)
def test_opentelemetry_opt_in_chooses_the_convention_unless_our_variable_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opt_in: str, own: str, expected: str
) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opt_in)
    monkeypatch.setenv("DUALMETRICS_CONVENTION", own)
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    recorder = telemetry.server_metrics.recorder_for("GET", "http", "1.1")
    recorder.start()
    recorder.end("/", 200, None, 0.1)
    names = {family.descriptor.name for family in telemetry.snapshot().families}
    assert ("http.requests" in names) is (expected in ("classic", "both"))
    assert (HTTP_SERVER_REQUEST_DURATION in names) is (expected in ("semconv", "both"))
    telemetry.shutdown()


def test_argument_takes_precedence_over_the_opt_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    telemetry = Telemetry(convention="classic", metrics_exporter="prometheus", directory=str(tmp_path))
    assert telemetry.settings.convention == "classic"


@given(route=st.none() | st.text(), status=st.integers(), error=st.none() | st.text(min_size=1))
def test_attributes_of_both_conventions_are_in_canonical_form(
    route: str | None, status: int, error: str | None
) -> None:
    request, response = RequestAttributes("GET", "http", "1.1"), ResponseAttributes(route, status, error)
    for convention in conventions_for("both", load_settings().buckets.default):
        attributes = convention.attributes(request, response)
        assert list(attributes) == sorted(attributes, key=lambda pair: pair[0])
        assert len(dict(attributes)) == len(attributes)


def test_bounds_of_both_conventions_are_the_same_durations() -> None:
    buckets = (0.0001, 0.005, 0.075, 1.1, 2.5)
    assert Classic(buckets).request_metrics.duration.bounds == (0.1, 5.0, 75.0, 1100.0, 2500.0)
    assert Semconv(buckets).request_metrics.duration.bounds == buckets
