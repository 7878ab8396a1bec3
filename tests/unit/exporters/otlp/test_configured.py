"""What is configured for a push is sent, whatever the exporters and `requests` find in the environment."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualmetrics import Telemetry
from tests.ports import free_port
from tests.unit.exporters.otlp.receiver import Received, grpc_receiver, http_receiver

OTLP = "OTEL_EXPORTER_OTLP_"
PROTOCOLS = ["grpc", "http/protobuf"]


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def collector(protocol: str) -> Iterator[Received]:
    with grpc_receiver() if protocol == "grpc" else http_receiver() as received:
        yield received


@pytest.fixture
def _netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login eve password stolen\ndefault login eve password stolen\n")
    monkeypatch.setenv("NETRC", str(file))


def push(**settings: Any) -> None:
    telemetry = Telemetry(timeout=2, **settings)
    telemetry.meter("shop").create_counter("hits").add(3)
    try:
        assert telemetry.force_flush(10)
    finally:
        telemetry.shutdown()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.usefixtures("_netrc")
@pytest.mark.parametrize("name", ["Authorization", "authorization"])
def test_netrc_does_not_replace_a_configured_authorization(
    collector: Received, protocol: str, name: str
) -> None:
    push(endpoint=collector.endpoint, protocol=protocol, headers={name: "Bearer s3cret"})
    assert collector.headers[0]["authorization"] == "Bearer s3cret"


@pytest.mark.usefixtures("_netrc")
def test_netrc_does_not_replace_an_authorization_in_the_variable(
    collector: Received, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{OTLP}HEADERS", "Authorization=Bearer%20s3cret")
    push(endpoint=collector.endpoint, protocol=protocol)
    assert collector.headers[0]["authorization"] == "Bearer s3cret"


@pytest.mark.usefixtures("_netrc")
def test_netrc_does_not_replace_the_user_and_password_in_the_endpoint() -> None:
    with http_receiver() as received:
        push(endpoint=received.endpoint.replace("//", "//ann:s3cr%3At@"), protocol="http/protobuf")
    assert received.headers[0]["authorization"] == basic("ann", "s3cr:t")


@pytest.mark.usefixtures("_netrc")
def test_netrc_counts_where_no_credentials_are_configured() -> None:
    with http_receiver() as received:
        push(endpoint=received.endpoint, headers={"x-tenant": "a"})
    assert received.headers[0]["authorization"] == basic("eve", "stolen")


@pytest.mark.usefixtures("_netrc")
def test_the_proxy_of_the_environment_gets_the_push_with_its_authorization(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with http_receiver() as proxy:
        monkeypatch.setenv("http_proxy", proxy.endpoint)
        push(endpoint="http://collector.invalid:4318", headers={"authorization": "Bearer s3cret"})
    assert set(proxy.paths) == {"http://collector.invalid:4318/v1/metrics"}
    assert proxy.headers[0]["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("variable", [f"{OTLP}HEADERS", f"{OTLP}METRICS_HEADERS"])
@pytest.mark.parametrize("value", ["hunter2", "a=hunter%0A2", "a=hunter%FF2", "a b=hunter2", "=hunter2"])
def test_headers_that_are_ignored_are_neither_sent_nor_logged(
    collector: Received,
    protocol: str,
    variable: str,
    value: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(variable, value)
    push(endpoint=collector.endpoint, protocol=protocol)
    monkeypatch.setenv(variable, f"x-good=1,{value}")
    push(endpoint=collector.endpoint, protocol=protocol)
    assert "x-good" not in collector.headers[0]
    assert collector.headers[-1]["x-good"] == "1"
    sent = repr(collector.headers)
    assert "hunter" not in sent
    assert "hunter" not in caplog.text


BAD_VALUES = [
    ("PROTOCOL", "http/json"),
    ("TIMEOUT", ""),
    ("TIMEOUT", "10s"),
    ("TIMEOUT", "-1"),
    ("TIMEOUT", "0"),
    ("TIMEOUT", "nan"),
    ("COMPRESSION", "zstd"),
    ("COMPRESSION", ""),
    ("INSECURE", "maybe"),
    ("CERTIFICATE", ""),
    ("CERTIFICATE", "/no/such/file.pem"),
    ("CERTIFICATE", "/tmp"),
    ("CLIENT_KEY", "/no/such/file.pem"),
    ("CLIENT_CERTIFICATE", "/no/such/file.pem"),
    ("CLIENT_CERTIFICATE", "/tmp"),
    ("HEADERS", ""),
    ("TEMPORALITY_PREFERENCE", "deltas"),
    ("TEMPORALITY_PREFERENCE", ""),
    ("DEFAULT_HISTOGRAM_AGGREGATION", "exponential"),
]


@pytest.mark.parametrize("signal", ["", "METRICS_"])
@pytest.mark.parametrize(("name", "value"), BAD_VALUES)
def test_a_push_arrives_in_spite_of_a_bad_variable(
    collector: Received, protocol: str, signal: str, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{OTLP}{signal}{name}", value)
    push(endpoint=collector.endpoint, protocol=protocol)
    assert collector.metric("hits").sum.data_points[0].as_double == 3


def test_a_bad_file_in_a_variable_leaves_a_push_over_tls_to_the_authorities_of_the_system(
    protocol: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The push fails because nobody listens, and not because of the file."""
    monkeypatch.setenv(f"{OTLP}CERTIFICATE", "/no/such/file.pem")
    monkeypatch.setenv(f"{OTLP}METRICS_CLIENT_CERTIFICATE", "/")
    telemetry = Telemetry(endpoint=f"https://127.0.0.1:{free_port()}", protocol=protocol, timeout=0.5)
    telemetry.meter("shop").create_counter("hits").add(3)
    assert not telemetry.force_flush(10)
    telemetry.shutdown()
    assert "refused" in caplog.text.lower()
