"""Loading settings: which values each variable and argument takes, and what becomes of them."""

from __future__ import annotations

import ipaddress
import logging
import pathlib
import re
from typing import Any

import pytest

from dualmetrics.config.declared_attributes import DeclaredAttribute
from dualmetrics.config.loading import load_settings
from dualmetrics.config.options import SettingsError
from dualmetrics.config.per_instrument import PerInstrument
from dualmetrics.config.settings import Settings

DEFAULT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
OTLP = "OTEL_EXPORTER_OTLP_"
BASE2 = "base2_exponential_bucket_histogram"
RESOURCE = {"a": "b,c", "v": "", "x=y": "z"}
PROTECTION = {
    "DUALMETRICS_METRICS_TOKEN",
    "DUALMETRICS_METRICS_BASIC_AUTH",
    "DUALMETRICS_METRICS_ALLOW",
}
TEN, LOOPBACK = ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1/128")


def load(**variables: str) -> Settings:
    return load_settings(variables)


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load()
    assert settings.metrics_exporter == {"prometheus", "otlp"}
    assert (settings.prometheus_path, settings.prometheus_port) == ("/metrics", None)
    assert (settings.endpoint, settings.protocol, settings.headers) == (None, "http/protobuf", None)
    assert (settings.export_interval, settings.temporality) == (60000, "cumulative")
    assert (settings.convention, settings.buckets.default, settings.cardinality_limit) == (
        "classic",
        DEFAULT_SECONDS,
        2000,
    )
    assert settings.gauge_merge == PerInstrument("last")
    assert settings.buckets.by_name == {}
    assert (settings.scope_labels, settings.host_metrics, settings.sdk_disabled) == ("own", False, False)
    assert (settings.exclude, settings.retain, settings.directory) == (("/metrics",), frozenset(), None)
    assert settings.shutdown_timeout == 2
    assert (settings.metrics_token, settings.metrics_basic_auth) == (None, None)
    assert (settings.metrics_allow, settings.trusted_proxies) == ((), ())


def test_the_environment_of_the_process_is_read_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALMETRICS_CONVENTION", "semconv")
    assert load_settings().convention == "semconv"


def test_an_argument_overrides_its_variable_and_none_does_not() -> None:
    environ = {"DUALMETRICS_CONVENTION": "semconv"}
    assert load_settings(environ, convention="both").convention == "both"
    assert load_settings(environ, convention=None).convention == "semconv"


@pytest.mark.parametrize(
    ("argument", "meant"),
    [
        ("bukets", "buckets"),
        ("path", "prometheus_path"),
        ("port", "prometheus_port"),
        ("token", "metrics_token"),
        ("exporter", "metrics_exporter"),
        ("otlp_endpoint", "endpoint"),
        ("OTEL_SERVICE_NAME", "service_name"),
        ("dualmetrics_dir", "directory"),
        ("servicename", "service_name"),
        ("auth", "metrics_basic_auth"),
    ],
)
def test_an_unknown_argument_is_a_type_error_that_names_the_nearest_setting(
    argument: str, meant: str
) -> None:
    with pytest.raises(TypeError, match=rf"^unknown setting {argument}\. Did you mean .*\b{meant}\b.*\?"):
        load_settings({}, **{argument: "1"})


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("DUALMETRICS_BUCKET", "DUALMETRICS_BUCKETS"),
        ("DUALMETRICS_TOKEN", "DUALMETRICS_METRICS_TOKEN"),
        ("DUALMETRICS_PROMETHEUS_PATH", "PROMETHEUS_PATH"),
        ("DUALMETRICS_DIRECTORY", "DUALMETRICS_DIR"),
        ("DUALMETRICS_SERVICE_NAME", "OTEL_SERVICE_NAME"),
        ("DUALMETRICS_PORT", "PROMETHEUS_PORT"),
        ("DUALMETRICS_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("DUALMETRICS_QQQQ", "README lists all settings"),
    ],
)
def test_a_variable_that_begins_like_ours_and_is_none_is_logged_with_the_nearest_if_one_is_near(
    variable: str, meant: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert load(**{variable: "x"}) == load()
    (record,) = caplog.records
    assert record.getMessage().startswith(f"dualmetrics: {variable} is no setting, and has no effect.")
    assert meant in record.getMessage()


def test_the_variables_that_kubernetes_sets_for_a_service_are_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    load(
        DUALMETRICS_SERVICE_HOST="10.0.0.1",
        DUALMETRICS_DEMO_SERVICE_PORT_HTTP="80",
        DUALMETRICS_PORT="tcp://10.0.0.1:80",
        DUALMETRICS_PORT_80_TCP_ADDR="10.0.0.1",
    )
    assert caplog.records == []


def test_all_variables_that_exist_are_no_unknown_ones(caplog: pytest.LogCaptureFixture) -> None:
    for variable, value, *_ in GOOD:
        load(**{variable: value})
    assert "no setting" not in caplog.text


GOOD: list[tuple[str, str, str, object]] = [
    ("OTEL_SERVICE_NAME", "shop", "service_name", "shop"),
    ("OTEL_METRICS_EXPORTER", "none", "metrics_exporter", frozenset()),
    ("OTEL_METRICS_EXPORTER", " Prometheus , console ", "metrics_exporter", {"prometheus", "console"}),
    ("PROMETHEUS_PATH", "/admin/metrics", "prometheus_path", "/admin/metrics"),
    ("PROMETHEUS_PORT", "9464", "prometheus_port", 9464),
    (f"{OTLP}ENDPOINT", "http://collector:4318", "endpoint", "http://collector:4318"),
    (f"{OTLP}PROTOCOL", "grpc", "protocol", "grpc"),
    (f"{OTLP}METRICS_PROTOCOL", "http/protobuf", "protocol", "http/protobuf"),
    (f"{OTLP}HEADERS", "Api-Key=a%20b, x=y==", "headers", {"api-key": "a b", "x": "y=="}),
    ("OTEL_METRICS_EXPORTER", "otlp_proto_grpc", "protocol", "grpc"),
    ("OTEL_METRICS_EXPORTER", "Otlp_Proto_Http,prometheus", "metrics_exporter", {"otlp", "prometheus"}),
    ("OTEL_RESOURCE_ATTRIBUTES", "a=b%2Cc,v=, x%3Dy = z", "resource_attributes", RESOURCE),
    (f"{OTLP}CERTIFICATE", __file__, "certificate", __file__),
    (f"{OTLP}METRICS_CLIENT_KEY", __file__, "client_key", __file__),
    (f"{OTLP}CLIENT_CERTIFICATE", __file__, "client_certificate", __file__),
    (f"{OTLP}TIMEOUT", "2.5", "timeout", 2.5),
    (f"{OTLP}TIMEOUT", "0", "timeout", 86400),
    (f"{OTLP}METRICS_TIMEOUT", "3", "timeout", 3),
    (f"{OTLP}COMPRESSION", "GZIP", "compression", "gzip"),
    (f"{OTLP}INSECURE", "TRUE", "insecure", True),
    (f"{OTLP}METRICS_TEMPORALITY_PREFERENCE", "DELTA", "temporality", "delta"),
    (f"{OTLP}METRICS_DEFAULT_HISTOGRAM_AGGREGATION", BASE2, "histogram_aggregation", BASE2),
    ("OTEL_METRIC_EXPORT_INTERVAL", "1500", "export_interval", 1500),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "always_off", "exemplar_filter", "always_off"),
    ("OTEL_SDK_DISABLED", "True", "sdk_disabled", True),
    ("DUALMETRICS_NAMESPACE", "shop_api", "namespace", "shop_api"),
    ("DUALMETRICS_CONST_LABELS", "dc=eu-1,note=a%2Cb", "const_labels", {"dc": "eu-1", "note": "a,b"}),
    ("DUALMETRICS_EXPERIMENT", "checkout", "experiment", "checkout"),
    ("DUALMETRICS_VARIANT", "b", "variant", "b"),
    ("DUALMETRICS_PIPELINE", "blue", "pipeline", "blue"),
    ("DUALMETRICS_CONVENTION", "both", "convention", "both"),
    ("DUALMETRICS_BUCKETS", ".1, 1,10", "buckets", PerInstrument((0.1, 1, 10))),
    (
        "DUALMETRICS_BUCKETS",
        "orders=-1,0,10",
        "buckets",
        PerInstrument(DEFAULT_SECONDS, {"orders": (-1, 0, 10)}),
    ),
    (
        "DUALMETRICS_BUCKETS",
        "orders=1,10;Latency=.1,1",
        "buckets",
        PerInstrument(DEFAULT_SECONDS, {"orders": (1, 10), "latency": (0.1, 1)}),
    ),
    ("DUALMETRICS_CARDINALITY_LIMIT", "1", "cardinality_limit", 1),
    ("DUALMETRICS_METRICS_TOKEN", " s3cret\n", "metrics_token", "s3cret"),
    ("DUALMETRICS_METRICS_BASIC_AUTH", "ann:a:b c", "metrics_basic_auth", "ann:a:b c"),
    ("DUALMETRICS_METRICS_ALLOW", "10.1.0.0/16, ::1", "metrics_allow", (TEN, LOOPBACK)),
    ("DUALMETRICS_METRICS_ALLOW", "unix,::1", "metrics_allow", ("unix", LOOPBACK)),
    ("DUALMETRICS_TRUSTED_PROXIES", "unix", "trusted_proxies", ("unix",)),
    ("DUALMETRICS_TRUSTED_PROXIES", ",", "trusted_proxies", ()),
    ("DUALMETRICS_TRUSTED_PROXIES", "192.0.2.7", "trusted_proxies", (ipaddress.ip_network("192.0.2.7/32"),)),
    ("DUALMETRICS_SCOPE_LABELS", "all", "scope_labels", "all"),
    ("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS", "GET, x-Y", "known_methods", {"GET", "x-Y"}),
    ("OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup", "convention", "both"),
    (
        "DUALMETRICS_TRANSLATION_STRATEGY",
        "NO_UTF8_escaping_with_suffixes",
        "translation_strategy",
        "no_utf8_escaping_with_suffixes",
    ),
    ("DUALMETRICS_CREATED_SERIES", "true", "created_series", True),
    ("DUALMETRICS_HOST_METRICS", "true", "host_metrics", True),
    ("DUALMETRICS_REGISTRIES", "default", "registries", ("default",)),
    ("DUALMETRICS_ROOT_PATH", "/shop/", "root_path", "/shop"),
    ("DUALMETRICS_ROOT_PATH", "/", "root_path", ""),
    ("DUALMETRICS_EXCLUDE_REGEX", "^/a+$", "exclude_regex", re.compile("^/a+$")),
    ("DUALMETRICS_EXCLUDE_ROUTES", "/a/{b}, /c*,unmatched", "exclude_routes", ("/a/{b}", "/c*", "unmatched")),
    (
        "DUALMETRICS_ROUTE_BUCKETS",
        "/a=1,2; /b/<re:x=y>=3",
        "route_buckets",
        {"/a": (1, 2), "/b/<re:x=y>": (3,)},
    ),
    (
        "DUALMETRICS_ATTRIBUTES",
        "tenant=a, b;client:X-Client=web",
        "attributes",
        (DeclaredAttribute("tenant", ["a", "b"]), DeclaredAttribute("client", ["web"], header="X-Client")),
    ),
    ("DUALMETRICS_GROUPED_STATUS", "true", "grouped_status", True),
    ("DUALMETRICS_CLASSIC_ERROR_TYPE", "true", "classic_error_type", True),
    ("DUALMETRICS_ACTIVE_BY_ROUTE", "true", "active_by_route", True),
    ("DUALMETRICS_BODY_SIZE", "true", "body_size", True),
    ("DUALMETRICS_TIME_TO_FIRST_BYTE", "true", "time_to_first_byte", True),
    ("DUALMETRICS_WEBSOCKETS", "true", "websockets", True),
    ("DUALMETRICS_EXCLUDE", "/health,/static/*", "exclude", ("/metrics", "/health", "/static/*")),
    ("DUALMETRICS_GAUGE_MERGE", "max", "gauge_merge", PerInstrument("max")),
    (
        "DUALMETRICS_GAUGE_MERGE",
        "last;Queue.Depth=sum",
        "gauge_merge",
        PerInstrument("last", {"queue.depth": "sum"}),
    ),
    ("DUALMETRICS_RETAIN", "queue.Depth, jobs", "retain", {"queue.depth", "jobs"}),
    ("DUALMETRICS_SHUTDOWN_TIMEOUT", "0", "shutdown_timeout", 0),
]


@pytest.mark.parametrize(("variable", "value", "field", "expected"), GOOD)
def test_a_variable_is_read(variable: str, value: str, field: str, expected: object) -> None:
    assert getattr(load(**{variable: value}), field) == expected


@pytest.mark.parametrize("variable", sorted({variable for variable, *_ in GOOD} - PROTECTION))
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_counts_as_unset(variable: str, empty: str) -> None:
    assert load(**{variable: empty}) == load()


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED", f"{OTLP}INSECURE", f"{OTLP}METRICS_INSECURE"])
@pytest.mark.parametrize("word", ["1", "yes", "no"])
def test_an_unknown_word_for_an_opentelemetry_boolean_is_false_and_logged(
    variable: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dualmetrics"):
        settings = load(**{variable: word})
    assert not settings.sdk_disabled
    assert not settings.insecure
    assert f"{variable}={word!r}: must be one of true, false; it is taken as false" in caplog.text


def test_arguments_take_natural_values(tmp_path: pathlib.Path) -> None:
    settings = load_settings(
        {},
        resource_attributes={"team": "a,b"},
        metrics_exporter={"console"},
        headers={"Authorization": "Bearer x"},
        buckets={"": [0.1, 1], "Orders": (1, 10)},
        gauge_merge={"": "sum", "depth": "max"},
        metrics_allow=["private", ipaddress.ip_network("192.0.2.0/24")],
        exclude=["/a", "/b*"],
        retain={"jobs"},
        const_labels={"dc": "eu"},
        directory=tmp_path,
        export_interval=250,
    )
    assert settings.resource_attributes == {"team": "a,b"}
    assert settings.metrics_exporter == {"console"}
    assert settings.headers == {"authorization": "Bearer x"}
    assert settings.buckets == PerInstrument((0.1, 1), {"orders": (1, 10)})
    assert settings.gauge_merge == PerInstrument("sum", {"depth": "max"})
    assert ipaddress.ip_network("192.0.2.0/24") in settings.metrics_allow
    assert settings.exclude == ("/a", "/b*")
    assert settings.retain == {"jobs"}
    assert (settings.directory, settings.export_interval) == (str(tmp_path), 250)


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({f"{OTLP}ENDPOINT": "http://c:4317"}, "grpc"),
        ({f"{OTLP}ENDPOINT": "http://c:4318"}, "http/protobuf"),
        ({f"{OTLP}ENDPOINT": "https://c"}, "http/protobuf"),
        ({f"{OTLP}METRICS_ENDPOINT": "http://c:4317"}, "grpc"),
        ({f"{OTLP}ENDPOINT": "http://c:4317", f"{OTLP}PROTOCOL": "http/protobuf"}, "http/protobuf"),
        ({f"{OTLP}PROTOCOL": "grpc", f"{OTLP}METRICS_PROTOCOL": "http/protobuf"}, "http/protobuf"),
    ],
)
def test_the_port_determines_the_protocol_if_it_is_unset(environ: dict[str, str], protocol: str) -> None:
    assert load_settings(environ).protocol == protocol


def test_the_metrics_endpoint_is_used_unchanged_and_overrides_the_base() -> None:
    environ = {f"{OTLP}ENDPOINT": "http://base:4318", f"{OTLP}METRICS_ENDPOINT": "http://own/x?y=1"}
    settings = load_settings(environ)
    assert (settings.endpoint, settings.endpoint_is_signal) == ("http://own/x?y=1", True)
    settings = load_settings(environ, endpoint="http://argument:4317")
    assert (settings.endpoint, settings.endpoint_is_signal) == ("http://argument:4317", False)
    assert settings.protocol == "grpc"


def test_headers_of_the_argument_are_added_to_those_of_the_variable_and_win() -> None:
    environ = {f"{OTLP}HEADERS": "a=1,b=2"}
    assert load_settings(environ, headers={"B": "3"}).headers == {"a": "1", "b": "3"}


@pytest.mark.parametrize(
    ("name", "value", "endpoint", "message"),
    [
        ("COMPRESSION", "deflate", "http://c:4317", "COMPRESSION='deflate': must be gzip or none"),
        (
            "METRICS_COMPRESSION",
            "deflate",
            "http://c:4317",
            "METRICS_COMPRESSION='deflate': must be gzip or none",
        ),
        (
            "TIMEOUT",
            "10",
            "http://ann:hunter2@c:4317",
            "ENDPOINT='http://***@c:4317': must be a URL without user and password",
        ),
    ],
)
def test_values_that_the_grpc_exporter_cannot_use_are_ignored_only_for_grpc(
    name: str, value: str, endpoint: str, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    environ = {f"{OTLP}ENDPOINT": endpoint, f"{OTLP}{name}": value}
    settings = load_settings(environ)
    assert settings.compression == "none"
    assert settings.endpoint == (None if "@" in endpoint else endpoint)
    (record,) = caplog.records
    expected = f"dualmetrics: {OTLP}{message} if the protocol is grpc. The variable is ignored"
    assert record.getMessage() == expected
    assert load_settings(environ, protocol="http/protobuf").endpoint == endpoint


def test_an_argument_that_the_grpc_exporter_cannot_use_is_named() -> None:
    message = r"^argument compression \(OTEL_EXPORTER_OTLP_COMPRESSION\)='deflate': must be gzip or none if"
    with pytest.raises(SettingsError, match=message):
        load_settings({}, endpoint="http://c:4317", compression="deflate")


@pytest.mark.parametrize("timeout", ["10000", 301])
def test_a_timeout_that_is_probably_in_milliseconds_is_logged(
    timeout: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert load_settings({}, timeout=timeout).timeout == float(str(timeout))
    assert f"(OTEL_EXPORTER_OTLP_TIMEOUT)={timeout} is taken as seconds" in caplog.text


@pytest.mark.parametrize(
    "bounds", [[100, 500, 1000], [5, 10, 25, 50], [1, 10, 100, 1000], "100,500", {"": [100], "orders": [1]}]
)
def test_bounds_that_are_probably_in_milliseconds_are_logged_with_the_same_in_seconds(
    bounds: object, caplog: pytest.LogCaptureFixture
) -> None:
    shown = load_settings({}, buckets=bounds).buckets.default
    (record,) = caplog.records
    assert "If you mean milliseconds" in record.getMessage()
    assert ",".join(f"{bound / 1000:g}" for bound in shown) in record.getMessage()


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 300},
        {"timeout": 0},
        {"buckets": [0.1, 1, 60]},
        {"buckets": [0.001]},
        {"buckets": {"orders": [100, 500, 1000]}},
    ],
)
def test_plausible_seconds_are_not_logged(settings: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    load_settings({}, **settings)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("variables", "arguments", "protocol", "is_logged"),
    [
        ({"OTEL_METRICS_EXPORTER": "otlp_proto_http"}, {"endpoint": "http://c:4317"}, "http/protobuf", False),
        ({"OTEL_METRICS_EXPORTER": "otlp_proto_grpc", f"{OTLP}PROTOCOL": "grpc"}, {}, "grpc", False),
        ({"OTEL_METRICS_EXPORTER": "otlp_proto_grpc", f"{OTLP}PROTOCOL": "http/protobuf"}, {}, "grpc", True),
        ({"OTEL_METRICS_EXPORTER": "otlp_proto_grpc"}, {"protocol": "http/protobuf"}, "http/protobuf", False),
        ({"OTEL_METRICS_EXPORTER": "otlp_proto_grpc,otlp"}, {}, "grpc", False),
        (
            {"OTEL_METRICS_EXPORTER": "otlp_proto_grpc,otlp_proto_http"},
            {"endpoint": "http://c:4317"},
            "grpc",
            True,
        ),
        ({}, {"metrics_exporter": "otlp_proto_grpc"}, "grpc", False),
    ],
)
def test_the_names_of_otlp_exporters_say_the_protocol(
    variables: dict[str, str],
    arguments: dict[str, Any],
    protocol: str,
    is_logged: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = load_settings(variables, **arguments)
    assert settings.metrics_exporter == {"otlp"}
    assert settings.protocol == protocol
    assert bool(caplog.records) == is_logged


@pytest.mark.parametrize("target", ["collector:4317", "10.0.0.1:4317", "[::1]:4317", "dns:///c:1", "unix:/x"])
def test_grpc_takes_the_address_of_a_server_as_endpoint(target: str) -> None:
    environ = {f"{OTLP}ENDPOINT": target, f"{OTLP}PROTOCOL": "grpc"}
    assert load_settings(environ).endpoint == target
    assert load_settings({}, endpoint=target, protocol="grpc").endpoint == target


def test_the_page_itself_is_excluded_if_there_is_one() -> None:
    assert load_settings({}, prometheus_path="/m", exclude="/a").exclude == ("/m", "/a")
    assert load_settings({}, prometheus_path="/m", exclude="/a,/m").exclude == ("/a", "/m")
    assert load_settings({}, metrics_exporter="otlp", exclude="/a").exclude == ("/a",)
