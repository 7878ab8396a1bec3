"""Loading settings: which values of each variable and argument are bad, and what is said about them.

Arguments and our own variables are refused. OpenTelemetry's variables are ignored, as its specification says.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.config.loading import load_settings
from dualmetrics.config.options import SettingsError, options_of
from dualmetrics.config.settings import Settings

OTLP = "OTEL_EXPORTER_OTLP_"


def load(**variables: str) -> Settings:
    return load_settings(variables)


def error_message(variable: str, value: str) -> str | None:
    try:
        load(**{variable: value})
    except SettingsError as error:
        return str(error)
    return None


BAD = {
    "OTEL_SERVICE_NAME": ["a\nb", "\x00", "a\x7f", "\udcff"],
    "OTEL_RESOURCE_ATTRIBUTES": ["a", "a=1,b", "=1", "a=%ff", "a=\udcff", "%e4=1"],
    "OTEL_METRICS_EXPORTER": ["statsd", "prometheus;otlp", "logging", "otlp/stdout", ","],
    "PROMETHEUS_PATH": [
        "metrics",
        "/metrics/",
        "/",
        "/a?b",
        "/a b",
        "/{x}",
        "/a//b",
        "/%41",
        "http://x/metrics",
    ],
    "PROMETHEUS_PORT": ["0", "65536", "-1", "http", "80.5", "1e3", "٣"],
    "OTEL_EXPORTER_PROMETHEUS_PORT": ["0", "http"],
    "DUALMETRICS_DELTA_IN_DOUBT": ["retry", "resend,skip", "RESEND!"],
    "PROMETHEUS_HOST": ["a\nb", "\x00"],
    "OTEL_EXPORTER_PROMETHEUS_HOST": ["a\x7f"],
    f"{OTLP}ENDPOINT": [
        "collector:4318",
        "ftp://c",
        "http://",
        "http://c:0",
        "http://c:99999",
        "http://c:x",
        "//collector:4318",
        "http://c d",
        "http://[::1",
        "grpc://c:4317",
    ],
    f"{OTLP}METRICS_ENDPOINT": [
        "collector:4318",
        "unix:///x",
        "http:///v1/metrics",
        "http://c:99999/v1/metrics",
    ],
    f"{OTLP}PROTOCOL": ["http/json", "http", "GRPCS", "4317"],
    f"{OTLP}METRICS_PROTOCOL": ["http/json", "tcp"],
    f"{OTLP}TIMEOUT": ["-1", "10s", "nan", "inf", "1e999"],
    f"{OTLP}METRICS_TIMEOUT": ["-0.1", "ten"],
    f"{OTLP}COMPRESSION": ["zstd", "gzip,deflate", "true"],
    f"{OTLP}METRICS_COMPRESSION": ["snappy", "0"],
    f"{OTLP}CERTIFICATE": ["/no/such/file.pem", "/"],
    f"{OTLP}METRICS_CERTIFICATE": ["/no/such/file.pem", "relative.pem"],
    f"{OTLP}CLIENT_KEY": ["/no/such/key.pem", "/tmp"],
    f"{OTLP}METRICS_CLIENT_KEY": ["/no/such/key.pem", "/tmp"],
    f"{OTLP}CLIENT_CERTIFICATE": ["/no/such/cert.pem", "/tmp"],
    f"{OTLP}METRICS_CLIENT_CERTIFICATE": ["/no/such/cert.pem", "/tmp"],
    f"{OTLP}METRICS_TEMPORALITY_PREFERENCE": ["deltas", "1", "low memory"],
    f"{OTLP}METRICS_DEFAULT_HISTOGRAM_AGGREGATION": ["exponential", "explicit"],
    "OTEL_METRIC_EXPORT_INTERVAL": ["0", "-5", "60s", "nan", "inf"],
    "OTEL_METRICS_EXEMPLAR_FILTER": ["on", "always"],
    "DUALMETRICS_NAMESPACE": ["1shop", "shop-api", "shop.api", "shop:api", "shop_", "läden"],
    "DUALMETRICS_CONST_LABELS": [
        "dc",
        "dc=a,dc=b",
        "1a=b",
        "__dc=a",
        "d-c=a",
        "le=1",
        "quantile=1",
        "dc=a%0A",
        "dc=",
    ],
    "DUALMETRICS_EXPERIMENT": ["a\tb", "\x1b[1m"],
    "DUALMETRICS_VARIANT": ["a\tb", "a\nb"],
    "DUALMETRICS_PIPELINE": ["a\tb", "a\nb"],
    "DUALMETRICS_CONVENTION": ["old", "classic,semconv", "1"],
    "DUALMETRICS_NATIVE_HISTOGRAMS": ["maybe", "2", "exponential"],
    "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS": [",", "GET POST", "G/T", "X" * 65],
    "DUALMETRICS_TRANSLATION_STRATEGY": ["none", "UnderscoreEscapingWithSuffixes"],
    "DUALMETRICS_CREATED_SERIES": ["1", "yes"],
    "DUALMETRICS_BUCKETS": [
        "1,1",
        "2,1",
        "a",
        "0,1",
        "-1,1",
        "1,inf",
        "nan",
        ",",
        "1;2",
        "orders=",
        "=1",
        "a b=1",
        "orders=1;orders=2",
        "orders=1;Orders=2",
        "9x=1",
        "orders=2,1",
        "orders=1,+Inf",
    ],
    "DUALMETRICS_CARDINALITY_LIMIT": ["0", "-1", "many", "1.5", "1e3", "99999999999999999999"],
    "DUALMETRICS_METRICS_ALLOW": [
        "10.0.0.1/8",
        "localhost",
        "10.0.0.0/33",
        "Private!",
        "1.2.3",
        "unix:/run/x",
        "",
        " ",
        ",",
        " , ",
    ],
    "DUALMETRICS_TRUSTED_PROXIES": ["10.0.0.1/8", "proxy", "::1/200"],
    "DUALMETRICS_SCOPE_LABELS": ["true", "some"],
    "DUALMETRICS_HOST_METRICS": ["yes", "1", "on", "wahr"],
    "DUALMETRICS_REGISTRIES": ["all", "default,other", "prometheus_client.REGISTRY"],
    "DUALMETRICS_ROOT_PATH": ["shop", "//", "/a//b", "/a?b", "/a b", "http://site/a"],
    "DUALMETRICS_EXCLUDE": ["health", "/a*b", "*", "/a?b", "/ok,bad", "/a b", "/a**"],
    "DUALMETRICS_EXCLUDE_REGEX": ["(", "[a", "*a", "a\nb"],
    "DUALMETRICS_EXCLUDE_ROUTES": ["users", "/ok,bad", "*", "Unmatched"],
    "DUALMETRICS_ROUTE_BUCKETS": ["/a", "a=1", "/a=", "/a=2,1", "/a=0,1", "/a=-1", "/a=1;/a=2", "/a=x"],
    "DUALMETRICS_ATTRIBUTES": [
        *("tenant", "tenant=", "=a", "9lives=a", "a b=c", "tenant:=a;tenant=b", "tenant:X Y=a"),
        *("http.route=/a", "http_route=a", "le=1", "a.b=1;a_b=2", "tenant=a\tb"),
    ],
    "DUALMETRICS_GROUPED_STATUS": ["1", "2xx"],
    "DUALMETRICS_CLASSIC_ERROR_TYPE": ["1", "yes"],
    "DUALMETRICS_ACTIVE_BY_ROUTE": ["1", "on"],
    "DUALMETRICS_BODY_SIZE": ["1", "request"],
    "DUALMETRICS_TIME_TO_FIRST_BYTE": ["1", "on"],
    "DUALMETRICS_WEBSOCKETS": ["1", "on"],
    "DUALMETRICS_GAUGE_MERGE": [
        "avg",
        "last;sum",
        "depth=avg",
        "=sum",
        "depth=sum;depth=max",
        "1x=sum",
        "sum,max",
    ],
    "DUALMETRICS_RETAIN": ["9lives", "a b", "queue=1"],
    "DUALMETRICS_DIR": ["run/metrics", ".", "~/metrics", os.path.abspath(__file__)],
    "DUALMETRICS_SHUTDOWN_TIMEOUT": ["-1", "2s", "inf", "nan"],
}


OWN = [(name, value) for name, values in BAD.items() if not name.startswith("OTEL_") for value in values]
OPENTELEMETRYS = [
    (name, value) for name, values in BAD.items() if name.startswith("OTEL_") for value in values
]


@pytest.mark.parametrize(("variable", "value"), OWN)
def test_a_bad_variable_of_ours_is_refused_with_its_name_its_value_and_what_is_allowed(
    variable: str, value: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{variable: value})
    message = str(caught.value)
    assert message.startswith(f"{variable}={value.strip()!r}: must be ")
    assert len(message.partition(": must be ")[2]) > 5


@pytest.mark.parametrize(("variable", "value"), OPENTELEMETRYS)
def test_a_bad_variable_of_opentelemetry_is_ignored_with_one_warning_that_says_what_is_allowed(
    variable: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dualmetrics"):
        assert load(**{variable: value}) == load()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"dualmetrics: {variable}={value.strip()!r}: must be ")
    assert record.getMessage().endswith(". The variable is ignored")


PARTLY_USABLE: list[tuple[str, str, str, object]] = [
    ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b=2,a=3", "resource_attributes", {"a": "3", "b": "2"}),
    ("OTEL_METRICS_EXPORTER", "none,otlp", "metrics_exporter", {"otlp"}),
    ("OTEL_METRICS_EXPORTER", "otlp,prometheus_remote", "metrics_exporter", {"otlp"}),
    (f"{OTLP}HEADERS", "a=1,A=2", "headers", {"a": "2"}),
    (f"{OTLP}HEADERS", "a=1,b", "headers", {"a": "1"}),
    (f"{OTLP}HEADERS", "a=1,b=x%0Ay,c=%ff,d e=f", "headers", {"a": "1"}),
    (f"{OTLP}METRICS_HEADERS", "a=1,=2", "headers", {"a": "1"}),
]


@pytest.mark.parametrize(("variable", "value", "field", "expected"), PARTLY_USABLE)
def test_what_can_be_used_of_a_bad_variable_of_opentelemetry_is_used_with_one_warning(
    variable: str, value: str, field: str, expected: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dualmetrics"):
        assert getattr(load(**{variable: value}), field) == expected
    (record,) = caplog.records
    assert record.getMessage().startswith(f"dualmetrics: {variable}=")
    assert record.getMessage().endswith(" used")


@pytest.mark.parametrize(("variable", "value", "field", "expected"), PARTLY_USABLE)
def test_as_an_argument_the_same_is_refused(variable: str, value: str, field: str, expected: object) -> None:
    with pytest.raises(SettingsError, match=rf"^argument {field}"):
        load_settings({}, **{field: value})


@pytest.mark.parametrize(
    ("name", "field", "bad", "good", "expected"),
    [
        ("TIMEOUT", "timeout", "ten", "3", 3),
        ("PROTOCOL", "protocol", "http/json", "grpc", "grpc"),
        ("COMPRESSION", "compression", "zstd", "gzip", "gzip"),
        ("HEADERS", "headers", "hunter2", "a=1", {"a": "1"}),
        ("ENDPOINT", "endpoint", "ftp://c", "http://c:4318", "http://c:4318"),
        ("ENDPOINT", "endpoint", "c:4318", "http://c:4318", "http://c:4318"),
        ("CERTIFICATE", "certificate", "/no/such.pem", __file__, __file__),
    ],
)
def test_where_the_variable_for_metrics_is_bad_that_for_all_signals_counts(
    name: str, field: str, bad: str, good: str, expected: object
) -> None:
    settings = load(**{f"{OTLP}METRICS_{name}": bad, f"{OTLP}{name}": good})
    assert getattr(settings, field) == expected
    assert not settings.endpoint_is_signal


def test_a_bad_variable_of_the_process_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"{OTLP}PROTOCOL", "http/json")
    for _ in range(3):
        assert load_settings().protocol == "http/protobuf"
    assert len(caplog.records) == 1


SECRETS = {
    f"{OTLP}HEADERS": [
        "hunter2",
        "api key=hunter2",
        "=hunter2",
        "a=b\x01hunter2",
        "a=hunter2,A=hunter2",
        "a=%0Ahunter2",
    ],
    f"{OTLP}METRICS_HEADERS": ["hunter2", "key:hunter2"],
    "DUALMETRICS_METRICS_TOKEN": ["hunter2 hunter2", "hunter2ü", "a\thunter2", "", " "],
    "DUALMETRICS_METRICS_BASIC_AUTH": [
        "hunter2",
        ":hunter2",
        "hunter2:",
        "ann:hunter2\x00",
        "ann:hunter2\udcff",
        "",
        " ",
    ],
}
SECRET_VALUES = [(name, value) for name, values in SECRETS.items() for value in values]


@pytest.mark.parametrize(("variable", "value"), SECRET_VALUES)
def test_a_message_about_a_secret_does_not_contain_it(
    variable: str, value: str, caplog: pytest.LogCaptureFixture
) -> None:
    if variable.startswith("OTEL_"):
        load(**{variable: value})
        (message,) = (record.getMessage() for record in caplog.records)
    else:
        with pytest.raises(SettingsError) as caught:
            load(**{variable: value})
        message = f"dualmetrics: {caught.value}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
    shown = "***" if value.strip() else "''"
    assert message.startswith(f"dualmetrics: {variable}={shown}: must be ")
    assert "hunter2" not in message


def test_every_variable_is_tested_with_bad_values() -> None:
    variables = {variable for option in options_of(Settings).values() for variable in option.variables}
    booleans = {"OTEL_SDK_DISABLED", f"{OTLP}INSECURE", f"{OTLP}METRICS_INSECURE"}
    assert variables - booleans <= BAD.keys() | SECRETS.keys()


BAD_ARGUMENTS: list[tuple[str, Any]] = [
    ("service_version", 3),
    ("service_name", ""),
    ("resource_attributes", {"a": 1}),
    ("resource_attributes", "a"),
    ("metrics_exporter", ["statsd"]),
    ("metrics_exporter", 1),
    ("prometheus_port", True),
    ("prometheus_port", 80.5),
    ("endpoint", b"http://c"),
    ("headers", {"a b": "c"}),
    ("headers", {"a": 1}),
    ("export_interval", True),
    ("export_interval", "soon"),
    ("sdk_disabled", 1),
    ("host_metrics", 0),
    ("buckets", [2, 1]),
    ("buckets", [0, 1]),
    ("buckets", [True, 2]),
    ("buckets", []),
    ("buckets", {"orders": [2, 1]}),
    ("buckets", {"Orders": [1], "orders": [2]}),
    ("buckets", 5),
    ("gauge_merge", {"depth": "avg"}),
    ("gauge_merge", {1: "sum"}),
    ("metrics_token", ""),
    ("metrics_allow", ["10.0.0.1/8"]),
    ("metrics_allow", []),
    ("metrics_allow", ()),
    ("metrics_allow", ""),
    ("metrics_allow", ","),
    ("metrics_basic_auth", " "),
    ("protocol", "http/json"),
    ("endpoint", "collector:4318"),
    ("certificate", "/no/such.pem"),
    ("exclude", {"/a": 1}),
    ("exclude_regex", re.compile(b"/a")),
    ("exclude_regex", 1),
    ("exclude_routes", [None]),
    ("route_buckets", ["/a"]),
    ("route_buckets", {"/a": []}),
    ("attributes", 1),
    ("attributes", ["tenant"]),
    ("attributes", {"tenant": "a"}),
    ("attributes", {"tenant": [1]}),
    ("retain", [1]),
    ("directory", b"/tmp"),
    ("directory", "relative"),
    ("shutdown_timeout", float("nan")),
    ("timeout", 10**400),
    ("timeout", -1),
    ("cardinality_limit", 1.5),
]


@pytest.mark.parametrize(("argument", "value"), BAD_ARGUMENTS)
def test_a_message_names_the_argument(argument: str, value: object) -> None:
    with pytest.raises(SettingsError, match=rf"^argument {argument}( \([A-Z_]+\))?=.*: must be "):
        load_settings({}, **{argument: value})


def test_a_message_about_an_argument_also_names_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"^argument buckets \(DUALMETRICS_BUCKETS\)=\[2, 1\]: must be "):
        load_settings({}, buckets=[2, 1])


@pytest.mark.parametrize(
    "url", ["ann:hunter2@c:4317", "ftp://ann:hunter2@c", "http://ann:hunter2@c:99999", "http://c?k=hunter2"]
)
def test_a_message_about_an_endpoint_does_not_contain_the_password(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SettingsError, match=r"\*\*\*") as caught:
        load_settings({}, endpoint=url)
    assert "hunter2" not in str(caught.value)
    assert load(**{f"{OTLP}ENDPOINT": url}).endpoint is None
    assert "***" in caplog.text
    assert "hunter2" not in caplog.text


@given(st.text())
def test_any_text_is_accepted_ignored_or_refused_with_a_settings_error(value: str) -> None:
    for variable in (*BAD, *SECRETS):
        message = error_message(variable, value)
        is_own = not variable.startswith("OTEL_")
        assert message is None or (is_own and message.startswith(variable))
