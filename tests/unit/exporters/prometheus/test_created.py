"""Samples with the creation time of series, and settings that change the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.telemetry import Telemetry
from tests.unit.exporters.prometheus import client_model, reading
from tests.unit.exporters.prometheus.formats.test_protobuf import PROTOBUF
from tests.unit.exporters.snapshots import COUNTER, START, everything, family, snapshot

CREATED = f"{START / 1e9:.0f}"


def page(whole: Snapshot, accept: str = reading.OPENMETRICS, created: bool = True) -> str:
    return reading.body(PrometheusExporter(created=created).render(whole, negotiate(accept)))


def created_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if "_created" in line]


def test_counters_and_histograms_have_created_samples_if_requested() -> None:
    whole = snapshot(family(COUNTER, 42.0, attributes=(("a", "%s"),)), *everything().families[1:3])
    counter, histogram = created_lines(page(whole))
    assert counter == f'http_requests_created{{a="%s"}} {CREATED}'
    assert histogram.startswith("http_request_duration_milliseconds_created{")
    assert histogram.endswith(f" {CREATED}")
    assert (
        len(reading.metrics(PrometheusExporter(created=True).render(whole, negotiate(reading.OPENMETRICS))))
        == 4
    )


@pytest.mark.parametrize(
    ("accept", "created"), [("text/plain", True), ("text/plain", False), (reading.OPENMETRICS, False)]
)
def test_nothing_else_has_created_samples(accept: str, created: bool) -> None:
    assert created_lines(page(everything(), accept, created)) == []


def test_a_restarted_series_has_a_new_creation_time() -> None:
    exporter = PrometheusExporter(created=True)
    attributes = (("a", "b"),)
    for start in (START, START + 10**9):
        whole = snapshot(family(COUNTER, 1.0, attributes=attributes, start=start))
        [line] = created_lines(reading.body(exporter.render(whole, negotiate(reading.OPENMETRICS))))
        assert line.endswith(f" {start / 1e9:.0f}")


def test_merged_series_have_the_earliest_creation_time() -> None:
    points = [family(COUNTER, 1.0, attributes=(("a", value),), start=at) for value, at in ((1, 5), ("1", 3))]
    whole = snapshot(*points)
    body = PrometheusExporter().render(whole, negotiate(PROTOBUF)).pieces
    [counter] = (one for one in client_model.families(b"".join(body)) if one.name == "http_requests_total")
    [metric] = counter.metric
    assert (metric.counter.value, metric.counter.created_timestamp.ToNanoseconds()) == (2, 3)


def test_a_histogram_without_a_sum_keeps_its_created_sample() -> None:
    descriptor = Descriptor(InstrumentationScope("dualmetrics"), "a", Kind.HISTOGRAM, bounds=(1.0,))
    text = page(snapshot(family(descriptor, 1.0, 0.0, -5.0, attributes=())))
    assert text.splitlines()[-4:] == [
        'a_bucket{le="1.0"} 1',
        'a_bucket{le="+Inf"} 1',
        f"a_created {CREATED}",
        "# EOF",
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("text/plain", "text/plain;version=1.0.0"),
        (reading.OPENMETRICS, "application/openmetrics-text;version=0.0.1"),
    ],
)
def test_both_versions_of_a_format_have_the_same_text(first: str, second: str) -> None:
    exporter = PrometheusExporter()
    one, other = (exporter.render(everything(), negotiate(accept)) for accept in (first, second))
    assert one.pieces == other.pieces
    assert one.content_type != other.content_type


def test_the_settings_reach_the_page(tmp_path: Path) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        directory=str(tmp_path),
        created_series=True,
        translation_strategy="no_utf8_escaping_with_suffixes",
    )
    telemetry.meter("shop").create_counter("shop.orders").add(1, {"pay.kind": "card"})
    content_type, body = telemetry.render(f"{reading.OPENMETRICS};escaping=allow-utf-8")
    telemetry.shutdown()
    assert content_type.endswith("version=1.0.0; charset=utf-8; escaping=allow-utf-8")
    assert b'\n{"shop.orders_total",otel_scope_name="shop","pay.kind"="card"} 1\n' in body
    assert b'\n{"shop.orders_created",otel_scope_name="shop","pay.kind"="card"} 1' in body
