"""The settings: what each variable and argument takes, and what comes of it."""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import pathlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.config.settings import Settings, SettingsError

DEFAULT_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
OTLP = "OTEL_EXPORTER_OTLP_"
BASE2 = "base2_exponential_bucket_histogram"
TEN, LOOPBACK = ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("::1/128")


def load(**variables: str) -> Settings:
    return Settings.load(variables)


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load()
    assert settings.metrics_exporter == {"prometheus", "otlp"}
    assert (settings.prometheus_path, settings.prometheus_port) == ("/metrics", None)
    assert (settings.endpoint, settings.protocol, settings.headers) == (None, "http/protobuf", None)
    assert (settings.export_interval, settings.temporality) == (60000, "cumulative")
    assert (settings.convention, settings.buckets, settings.cardinality_limit) == (
        "classic",
        DEFAULT_SECONDS,
        2000,
    )
    assert (settings.gauge_merge, settings.gauge_merge_by_name) == ("last", {})
    assert (settings.scope_labels, settings.host_metrics, settings.sdk_disabled) == ("own", False, False)
    assert (settings.exclude, settings.retain, settings.directory) == (("/metrics",), frozenset(), None)
    assert settings.shutdown_timeout == 2
    assert (settings.metrics_token, settings.metrics_basic_auth) == (None, None)
    assert (settings.metrics_allow, settings.trusted_proxies) == ((), ())


def test_the_process_environment_is_read_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUALMETRICS_CONVENTION", "semconv")
    assert Settings.load().convention == "semconv"


def test_an_argument_wins_over_its_variable_and_none_leaves_the_variable() -> None:
    environ = {"DUALMETRICS_CONVENTION": "semconv"}
    assert Settings.load(environ, convention="both").convention == "both"
    assert Settings.load(environ, convention=None).convention == "semconv"


def test_an_unknown_argument_is_a_type_error_that_names_the_known_ones() -> None:
    with pytest.raises(TypeError, match=r"unknown setting bukets; known are .*\bbuckets\b"):
        Settings.load({}, bukets=[1])


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().convention = "both"  # type: ignore[misc]  # that it is refused at run time too is the test


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
    (f"{OTLP}TIMEOUT", "2.5", "timeout", 2.5),
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
    ("DUALMETRICS_BUCKETS", ".1, 1,10", "buckets", (0.1, 1, 10)),
    ("DUALMETRICS_BUCKETS", "orders=-1,0,10", "instrument_buckets", {"orders": (-1, 0, 10)}),
    ("DUALMETRICS_BUCKETS", "orders=1,10;Latency=.1,1", "buckets", DEFAULT_SECONDS),
    ("DUALMETRICS_CARDINALITY_LIMIT", "1", "cardinality_limit", 1),
    ("DUALMETRICS_METRICS_TOKEN", " s3cret\n", "metrics_token", "s3cret"),
    ("DUALMETRICS_METRICS_BASIC_AUTH", "ann:a:b c", "metrics_basic_auth", "ann:a:b c"),
    ("DUALMETRICS_METRICS_ALLOW", "10.1.0.0/16, ::1", "metrics_allow", (TEN, LOOPBACK)),
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
    ("DUALMETRICS_EXCLUDE", "/health,/static/*", "exclude", ("/metrics", "/health", "/static/*")),
    ("DUALMETRICS_GAUGE_MERGE", "max", "gauge_merge", "max"),
    ("DUALMETRICS_GAUGE_MERGE", "last;Queue.Depth=sum", "gauge_merge_by_name", {"queue.depth": "sum"}),
    ("DUALMETRICS_RETAIN", "queue.Depth, jobs", "retain", {"queue.depth", "jobs"}),
    ("DUALMETRICS_SHUTDOWN_TIMEOUT", "0", "shutdown_timeout", 0),
]


@pytest.mark.parametrize(("variable", "value", "field", "expected"), GOOD)
def test_a_variable_is_read(variable: str, value: str, field: str, expected: object) -> None:
    assert getattr(load(**{variable: value}), field) == expected


@pytest.mark.parametrize("variable", sorted({variable for variable, *_ in GOOD}))
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_variable_is_an_unset_one(variable: str, empty: str) -> None:
    assert load(**{variable: empty}) == load()


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED", f"{OTLP}INSECURE", f"{OTLP}METRICS_INSECURE"])
@pytest.mark.parametrize("word", ["1", "yes", "no"])
def test_an_unknown_word_for_a_standard_boolean_is_false_with_a_warning(
    variable: str, word: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dualmetrics"):
        settings = load(**{variable: word})
    assert not settings.sdk_disabled
    assert not settings.insecure
    assert f"{variable}={word!r}: must be one of true, false; taken as false" in caplog.text


def test_arguments_take_natural_values(tmp_path: pathlib.Path) -> None:
    settings = Settings.load(
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
    assert (settings.buckets, settings.instrument_buckets) == ((0.1, 1), {"orders": (1, 10)})
    assert (settings.gauge_merge, settings.gauge_merge_by_name) == ("sum", {"depth": "max"})
    assert ipaddress.ip_network("192.0.2.0/24") in settings.metrics_allow
    assert settings.exclude == ("/a", "/b*")
    assert settings.retain == {"jobs"}
    assert (settings.directory, settings.export_interval) == (str(tmp_path), 250)


def test_private_stands_for_private_loopback_and_link_local_networks() -> None:
    allowed = load(DUALMETRICS_METRICS_ALLOW="private").metrics_allow
    inside = [
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "127.0.0.5",
        "169.254.1.1",
        "::1",
        "fe80::1",
        "fd00::1",
    ]
    for address in map(ipaddress.ip_address, inside):
        assert any(address in network for network in allowed), address
    for address in map(ipaddress.ip_address, ["8.8.8.8", "172.32.0.1", "192.169.0.1", "2001:db8::1"]):
        assert not any(address in network for network in allowed), address


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
def test_the_protocol_goes_by_the_port_where_unset(environ: dict[str, str], protocol: str) -> None:
    assert Settings.load(environ).protocol == protocol


def test_the_metrics_endpoint_is_used_as_it_is_and_wins_over_the_base() -> None:
    environ = {f"{OTLP}ENDPOINT": "http://base:4318", f"{OTLP}METRICS_ENDPOINT": "http://own/x?y=1"}
    settings = Settings.load(environ)
    assert (settings.endpoint, settings.endpoint_is_signal) == ("http://own/x?y=1", True)
    settings = Settings.load(environ, endpoint="http://argument:4317")
    assert (settings.endpoint, settings.endpoint_is_signal) == ("http://argument:4317", False)
    assert settings.protocol == "grpc"


def test_headers_given_join_those_of_the_variable_and_win() -> None:
    environ = {f"{OTLP}HEADERS": "a=1,b=2"}
    assert Settings.load(environ, headers={"B": "3"}).headers == {"a": "1", "b": "3"}


@pytest.mark.parametrize(
    ("name", "value", "endpoint", "told"),
    [
        ("COMPRESSION", "deflate", "http://c:4317", "COMPRESSION='deflate': must be gzip or none"),
        ("TIMEOUT", "10", "http://ann:hunter2@c:4317", r"ENDPOINT='http://\*\*\*@c:4317': must have no user"),
        ("METRICS_TIMEOUT", "", "http://c:4317", "METRICS_TIMEOUT='': must be a number of seconds above 0"),
    ],
)
def test_what_the_exporter_over_grpc_cannot_take_is_refused_for_it_alone(
    name: str, value: str, endpoint: str, told: str
) -> None:
    environ = {f"{OTLP}ENDPOINT": endpoint, f"{OTLP}{name}": value}
    with pytest.raises(SettingsError, match=f"{told}.* where the protocol is grpc"):
        Settings.load(environ)
    assert Settings.load(environ, protocol="http/protobuf").endpoint == endpoint


def test_the_own_page_is_excluded_only_where_there_is_one() -> None:
    assert Settings.load({}, prometheus_path="/m", exclude="/a").exclude == ("/m", "/a")
    assert Settings.load({}, prometheus_path="/m", exclude="/a,/m").exclude == ("/a", "/m")
    assert Settings.load({}, metrics_exporter="otlp", exclude="/a").exclude == ("/a",)


def test_the_labels_of_the_page_are_the_constant_ones_and_the_experiment() -> None:
    settings = Settings.load({}, const_labels="dc=eu,variant=x", experiment="e", variant="b")
    assert settings.page_labels == {"dc": "eu", "experiment": "e", "variant": "b"}


def test_equal_settings_are_equal_and_others_say_what_differs() -> None:
    one = Settings.load({}, convention="both", metrics_token="hunter2")
    assert one == Settings.load({"DUALMETRICS_CONVENTION": "both"}, metrics_token="hunter2")
    other = Settings.load({}, convention="both", metrics_token="hunter3", buckets=[1])
    assert one != other
    told = one.difference(other)
    assert told == [f"buckets: {one.buckets!r}, (1.0,)", "metrics_token: ***, ***"]


def test_secrets_are_in_no_text_of_the_settings() -> None:
    settings = Settings.load(
        {},
        headers={"authorization": "hunter2"},
        metrics_token="hunter2",
        metrics_basic_auth="ann:hunter2",
        endpoint="https://ann:hunter2@collector:4318",
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in " ".join(Settings.load({}).difference(settings))
    assert "https://***@collector:4318" in repr(settings)


numbers = st.floats(min_value=1e-6, max_value=1e9)
ascending = st.lists(numbers, min_size=1, unique=True).map(sorted)
names = st.from_regex(r"[a-z][a-z0-9_./-]{0,20}", fullmatch=True)


@given(plain=ascending, named=st.dictionaries(names, ascending))
def test_bounds_written_as_text_are_read_back_exactly(
    plain: list[float], named: dict[str, list[float]]
) -> None:
    parts = [
        ",".join(map(repr, plain)),
        *(f"{name}={','.join(map(repr, some))}" for name, some in named.items()),
    ]
    settings = load(DUALMETRICS_BUCKETS=";".join(parts))
    assert settings.buckets == tuple(plain)
    assert settings.instrument_buckets == {name: tuple(some) for name, some in named.items()}
    assert settings == Settings.load({}, buckets={"": plain, **named})


@given(st.lists(numbers, min_size=2).filter(lambda found: found != sorted(set(found))))
def test_bounds_out_of_order_are_refused(found: list[float]) -> None:
    with pytest.raises(SettingsError, match="ascending"):
        Settings.load({}, buckets=found)


label_names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: name not in ("le", "quantile")
)
plain_text = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)


@given(st.dictionaries(label_names, plain_text))
def test_labels_survive_their_variable(labels: dict[str, str]) -> None:
    from urllib.parse import quote

    written = ",".join(f"{name}={quote(value, safe='')}" for name, value in labels.items())
    assert load(DUALMETRICS_CONST_LABELS=written).const_labels == labels
    assert Settings.load({}, const_labels=labels).const_labels == labels


def test_reading_settings_loads_neither_the_sdk_nor_the_exporters() -> None:
    code = "import sys, dualmetrics.config.settings as s; s.Settings.load({}); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert not loaded & {"grpc", "requests", "prometheus_client", "opentelemetry.sdk", "google.protobuf"}
