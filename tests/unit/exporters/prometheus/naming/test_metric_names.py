"""Names and values on the page: the test cases of Prometheus' own translator."""

from __future__ import annotations

import pytest

from dualmetrics.exporters.prometheus.naming.labels import labels_from_attributes
from dualmetrics.exporters.prometheus.naming.metric_names import label_name, metric_name, unit_name
from dualmetrics.exporters.prometheus.naming.values import (
    canonical_bound,
    label_value,
    positional_decimal,
    sample_value,
)
from dualmetrics.model.attributes import AttributeValue
from dualmetrics.model.descriptor import Kind

COUNTER, UP_DOWN, GAUGE, HISTOGRAM = Kind.COUNTER, Kind.UP_DOWN_COUNTER, Kind.GAUGE, Kind.HISTOGRAM


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.requests", "{request}", COUNTER, "http_requests_total"),
        ("http.request.duration", "ms", HISTOGRAM, "http_request_duration_milliseconds"),
        ("http.connections.active", "{connection}", UP_DOWN, "http_connections_active"),
        ("http.server.request.duration", "s", HISTOGRAM, "http_server_request_duration_seconds"),
        ("system.memory.usage", "By", GAUGE, "system_memory_usage_bytes"),
        ("system.cpu.utilization", "1", GAUGE, "system_cpu_utilization_ratio"),
        ("ratio.of.things", "1", GAUGE, "of_things_ratio"),
        ("balance", "1", UP_DOWN, "balance"),
        ("items", "1", COUNTER, "items_total"),
        ("total.hits", "", COUNTER, "hits_total"),
        ("requests_total", "", COUNTER, "requests_total"),
        ("total", "", COUNTER, "total"),
        ("hits.total", "", GAUGE, "hits_total"),
        ("bytes.sent", "By", COUNTER, "bytes_sent_total"),
        ("response_time_seconds", "s", GAUGE, "response_time_seconds"),
        ("throughput", "By/s", GAUGE, "throughput_bytes_per_second"),
        ("speed", "m/s", GAUGE, "speed_meters_per_second"),
        ("speed", "km/h", GAUGE, "speed_km_per_hour"),
        ("rate", "1/s", GAUGE, "rate_per_second"),
        ("rate", "1/m", COUNTER, "rate_per_minute_total"),
        ("rate", "{request}/s", GAUGE, "rate_per_second"),
        ("rate", "By/{request}", GAUGE, "rate_bytes"),
        ("rate", " By / s ", GAUGE, "rate_bytes_per_second"),
        ("custom_metric", "unit@with#special/chars", GAUGE, "custom_metric_unit_with_special_per_chars"),
        ("many__under--scores", "a__b", GAUGE, "many_under_scores_a_b"),
        ("length", "[in_i]", GAUGE, "length_in_i_"),
        ("cpu", "%", GAUGE, "cpu_percent"),
        ("temperature", "Cel", GAUGE, "temperature_celsius"),
        ("temperature", "°", GAUGE, "temperature"),
        ("disk", "TiBy", GAUGE, "disk_tibibytes"),
        ("9lives", "", GAUGE, "_9lives"),
        ("job:rate", "", GAUGE, "job:rate"),
        ("@#$%", "", GAUGE, ""),
    ],
)
def test_metric_names_are_those_of_prometheus_translator(
    name: str, unit: str, kind: Kind, expected: str
) -> None:
    assert metric_name(name, unit, kind) == expected


def test_a_namespace_is_prefixed() -> None:
    assert metric_name("requests", "1/s", COUNTER, "app") == "app_requests_per_second_total"
    assert metric_name("123_requests", "", COUNTER, "app") == "app_123_requests_total"


@pytest.mark.parametrize(
    ("unit", "kind", "expected"),
    [
        ("s", HISTOGRAM, "seconds"),
        ("By/s", GAUGE, "bytes_per_second"),
        ("1/s", GAUGE, "per_second"),
        ("{request}", COUNTER, ""),
        ("1", GAUGE, "ratio"),
        ("1", COUNTER, ""),
        ("", GAUGE, ""),
        ("[in_i]", GAUGE, "in_i"),
    ],
)
def test_units_are_converted_to_words(unit: str, kind: Kind, expected: str) -> None:
    assert unit_name(unit, kind) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("http.route", "http_route"),
        ("label:with:colons", "label_with_colons"),
        ("CamelCase", "CamelCase"),
        ("label!with&special$chars)", "label_with_special_chars_"),
        ("two..dots", "two__dots"),
        ("123label", "key_123label"),
        ("_private", "_private"),
        ("über", "_ber"),
        ("__name__", "key__name__"),
        ("üüber", "key__ber"),
        ("ようこそ", "key____"),
        ("", "key_"),
    ],
)
def test_label_names_are_those_of_prometheus_translator(key: str, expected: str) -> None:
    assert label_name(key) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (10**20, "100000000000000000000"),
        (1.0, "1"),
        (0.1, "0.1"),
        (0.00001, "0.00001"),
        (1e-7, "1e-7"),
        (1e16, "10000000000000000"),
        (1e21, "1e+21"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        ((), "[]"),
        (("a", 'b"', "é"), '["a","b\\"","é"]'),
        ((True, False), "[true,false]"),
        ((1, 2), "[1,2]"),
        ((1.0, 2.5, float("inf")), '[1,2.5,"Infinity"]'),
    ],
)
def test_attribute_values_are_converted_as_opentelemetry_specifies(
    value: AttributeValue, expected: str
) -> None:
    assert label_value(value) == expected


def test_the_string_nan_in_a_list_is_quoted() -> None:
    assert label_value(("NaN",)) == '["NaN"]'


def test_the_values_of_attributes_with_the_same_label_are_joined_in_the_order_of_keys() -> None:
    assert labels_from_attributes((("a_b", "2"), ("a.b", 1), ("a-b", True), ("c", "3"))) == {
        "a_b": "true;1;2",
        "c": "3",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (42.0, "42"),
        (42, "42"),
        (0.1, "0.1"),
        (2.0**53, "9007199254740992"),
        (1e22, "1e+22"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_sample_values_are_as_short_as_possible(value: float, expected: str) -> None:
    assert sample_value(value) == expected


@pytest.mark.parametrize(
    ("bound", "in_text", "in_openmetrics"),
    [
        (0.005, "0.005", "0.005"),
        (1.0, "1", "1.0"),
        (0.0, "0", "0.0"),
        (-2.5, "-2.5", "-2.5"),
        (10000, "10000", "10000.0"),
        (123456.0, "123456", "123456.0"),
        (1e6, "1000000", "1e+06"),
        (1234567.0, "1234567", "1.234567e+06"),
        (1e-5, "0.00001", "1e-05"),
        (1e100, "1" + "0" * 100, "1e+100"),
    ],
)
def test_each_format_writes_bounds_in_its_own_way(bound: float, in_text: str, in_openmetrics: str) -> None:
    assert positional_decimal(bound) == in_text
    assert canonical_bound(bound) == in_openmetrics
