"""The contents of a page."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Iterable

import pytest

from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters.prometheus.reading import FORMATS, OPENMETRICS, body, samples

OWN = InstrumentationScope("dualmetrics")
SHOP = InstrumentationScope("shop", "1.2", "https://example.com/schema", (("name", "no"), ("team.size", 3)))
REQUESTS = Descriptor(OWN, "http.requests", Kind.COUNTER, "{request}", 'Requests: "all"\n\\o/')
DURATION = Descriptor(OWN, "http.request.duration", Kind.HISTOGRAM, "ms", "Time", (5.0, 7.5))
ACTIVE = Descriptor(OWN, "http.connections.active", Kind.UP_DOWN_COUNTER, "{connection}")
MEMORY = Descriptor(OWN, "system.memory.usage", Kind.GAUGE, "By")
GET: Attributes = (("http.method", "GET"), ("http.status_code", 200))
RESOURCE: Attributes = (("service.instance.id", "i-1"), ("service.name", "shop"))


def family(descriptor: Descriptor, *points: tuple[Attributes, Iterable[float]]) -> Family:
    return Family(descriptor, tuple(Point(attributes, 1, tuple(cells)) for attributes, cells in points))


def snapshot(*families: Family, resource: Attributes = ()) -> Snapshot:
    return Snapshot(1, resource, families)


def page(
    *families: Family, accept: str = "text/plain", names: Iterable[str] = (), resource: Attributes = ()
) -> str:
    return body(
        PrometheusExporter().render(snapshot(*families, resource=resource), negotiate(accept), tuple(names))
    )


ALL = (
    family(REQUESTS, (GET, [42])),
    family(DURATION, (GET, [1, 2, 1, 20.5])),
    family(ACTIVE, ((), [3])),
    family(MEMORY, ((("state", "used"),), [1.5e9, 1])),
)


def test_the_text_page() -> None:
    assert page(*ALL, resource=RESOURCE).splitlines() == [
        "# HELP target_info Target metadata",
        "# TYPE target_info gauge",
        'target_info{service_instance_id="i-1",service_name="shop"} 1',
        '# HELP http_requests_total Requests: "all"\\n\\\\o/',
        "# TYPE http_requests_total counter",
        'http_requests_total{http_method="GET",http_status_code="200"} 42',
        "# HELP http_request_duration_milliseconds Time",
        "# TYPE http_request_duration_milliseconds histogram",
        'http_request_duration_milliseconds_bucket{http_method="GET",http_status_code="200",le="5"} 1',
        'http_request_duration_milliseconds_bucket{http_method="GET",http_status_code="200",le="7.5"} 3',
        'http_request_duration_milliseconds_bucket{http_method="GET",http_status_code="200",le="+Inf"} 4',
        'http_request_duration_milliseconds_sum{http_method="GET",http_status_code="200"} 20.5',
        'http_request_duration_milliseconds_count{http_method="GET",http_status_code="200"} 4',
        "# TYPE http_connections_active gauge",
        "http_connections_active 3",
        "# TYPE system_memory_usage_bytes gauge",
        'system_memory_usage_bytes{state="used"} 1500000000',
    ]


def test_the_openmetrics_page() -> None:
    assert page(*ALL, accept=OPENMETRICS, resource=RESOURCE).splitlines() == [
        "# TYPE target info",
        "# HELP target Target metadata",
        'target_info{service_instance_id="i-1",service_name="shop"} 1',
        "# TYPE http_requests counter",
        '# HELP http_requests Requests: \\"all\\"\\n\\\\o/',
        'http_requests_total{http_method="GET",http_status_code="200"} 42',
        "# TYPE http_request_duration_milliseconds histogram",
        "# UNIT http_request_duration_milliseconds milliseconds",
        "# HELP http_request_duration_milliseconds Time",
        'http_request_duration_milliseconds_bucket{http_method="GET",http_status_code="200",le="5.0"} 1',
        'http_request_duration_milliseconds_bucket{http_method="GET",http_status_code="200",le="7.5"} 3',
        'http_request_duration_milliseconds_bucket{http_method="GET",http_status_code="200",le="+Inf"} 4',
        'http_request_duration_milliseconds_sum{http_method="GET",http_status_code="200"} 20.5',
        'http_request_duration_milliseconds_count{http_method="GET",http_status_code="200"} 4',
        "# TYPE http_connections_active gauge",
        "http_connections_active 3",
        "# TYPE system_memory_usage_bytes gauge",
        "# UNIT system_memory_usage_bytes bytes",
        'system_memory_usage_bytes{state="used"} 1500000000',
        "# EOF",
    ]


@pytest.mark.parametrize("accept", FORMATS)
def test_metrics_without_a_value_are_omitted(accept: str) -> None:
    empty = page(family(REQUESTS), family(MEMORY, ((), [7, 0])), accept=accept)
    assert empty == ("# EOF\n" if accept == OPENMETRICS else "")


@pytest.mark.parametrize("accept", FORMATS)
def test_nan_and_infinity_are_written_by_name(accept: str) -> None:
    values = {"a": float("nan"), "b": float("inf"), "c": float("-inf"), "d": 0.1, "e": -3}
    text = page(
        family(MEMORY, *(((("k", key),), [value, 1]) for key, value in values.items())), accept=accept
    )
    assert re.findall(r"} (\S+)", text) == ["NaN", "+Inf", "-Inf", "0.1", "-3"]


@pytest.mark.parametrize(
    ("scope_labels", "on_ours", "on_others"),
    [("own", False, True), ("all", True, True), ("none", False, False)],
)
def test_the_setting_selects_the_metrics_with_scope_labels(
    scope_labels: str, on_ours: bool, on_others: bool
) -> None:
    orders = Descriptor(SHOP, "orders", Kind.COUNTER)
    exporter = PrometheusExporter(scope_labels=scope_labels)
    text = body(exporter.render(snapshot(family(REQUESTS, ((), [1])), family(orders, ((), [1])))))
    assert ('http_requests_total{otel_scope_name="dualmetrics"} 1' in text) is on_ours
    assert (
        'orders_total{otel_scope_name="shop",otel_scope_schema_url="https://example.com/schema",'
        'otel_scope_team_size="3",otel_scope_version="1.2"} 1' in text
    ) is on_others


def test_unknown_scope_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="own, all, none"):
        PrometheusExporter(scope_labels="some")


@pytest.mark.parametrize("accept", FORMATS)
def test_everything_but_target_info_has_namespace_and_constant_labels(accept: str) -> None:
    exporter = PrometheusExporter(namespace="ns", const_labels={"env": "prod", "http.method": "none"})
    shown = samples(exporter.render(snapshot(*ALL[:1], ALL[2], resource=RESOURCE), negotiate(accept)))
    assert {name: dict(labels) for name, labels in shown} == {
        "target_info": {"service_instance_id": "i-1", "service_name": "shop"},
        "ns_http_requests_total": {"env": "prod", "http_method": "GET", "http_status_code": "200"},
        "ns_http_connections_active": {"env": "prod", "http_method": "none"},
    }


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["http_requests_total"], {"http_requests_total"}),
        (["http_requests"], {"http_requests_total"}),
        (["http_request_duration_milliseconds_sum"], {"http_request_duration_milliseconds"}),
        (["http_connections_active", "target_info"], {"http_connections_active", "target_info"}),
        (["http.requests"], set()),
    ],
)
@pytest.mark.parametrize("accept", FORMATS)
def test_the_filter_accepts_names_of_families_and_samples(
    accept: str, names: list[str], expected: set[str]
) -> None:
    shown = samples(PrometheusExporter().render(snapshot(*ALL, resource=RESOURCE), negotiate(accept), names))
    assert {re.sub("_(bucket|sum|count)$", "", name) for name, _ in shown} == expected


def test_a_filtered_page_does_not_change_the_next_full_page() -> None:
    exporter, whole = PrometheusExporter(), snapshot(*ALL)
    before = exporter.render(whole)
    exporter.render(whole, negotiate(None), ["http_requests_total"])
    assert exporter.render(whole) == before


def test_changed_values_are_shown_and_similar_attributes_distinguished() -> None:
    exporter = PrometheusExporter()
    kept: Attributes = (("a", 1),)
    for value in (1.0, 2.0, 2.0, 1.0):
        text = body(exporter.render(snapshot(family(ACTIVE, (kept, [value]), ((("a", True),), [5])))))
        assert f'{{a="1"}} {value:.0f}\n' in text
        assert '{a="true"} 5\n' in text


class Watched(str):
    """A string that supports weak references."""

    __slots__ = ("__weakref__",)


def test_the_text_of_removed_series_is_released() -> None:
    exporter, value = PrometheusExporter(), Watched("x")
    gone = weakref.ref(value)
    exporter.render(snapshot(family(ACTIVE, ((("a", value),), [1]))))
    del value
    exporter.render(snapshot(family(ACTIVE, ((("a", "y"),), [1]))))
    gc.collect()
    assert gone() is None
