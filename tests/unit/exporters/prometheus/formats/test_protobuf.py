"""The protobuf page, parsed by Google's library."""

from __future__ import annotations

from math import isnan
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.exporters import protobuf_wire
from dualmetrics.exporters.prometheus import Page, PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters import generated
from tests.unit.exporters.prometheus import client_model, reading
from tests.unit.exporters.snapshots import START, everything

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def read(page: Page) -> list[Any]:
    return list(client_model.families(b"".join(page.pieces)))


def samples(page: Page) -> dict[reading.Sample, str]:
    """The samples that Prometheus reads from the page."""
    values: dict[reading.Sample, str] = {}
    for family in read(page):
        for metric in family.metric:
            labels = {pair.name: pair.value for pair in metric.label}
            for key, value in _values(family.name, metric, labels):
                assert key not in values
                values[key] = reading.number(value)
    return values


def _values(name: str, metric: Any, labels: dict[str, str]) -> list[tuple[reading.Sample, float]]:
    if not metric.HasField("histogram"):
        value = metric.counter.value if metric.HasField("counter") else metric.gauge.value
        return [(reading.named(name, labels), value)]
    histogram = metric.histogram
    buckets = [
        (
            reading.named(f"{name}_bucket", {**labels, "le": str(bucket.upper_bound)}, bucket=True),
            float(bucket.cumulative_count),
        )
        for bucket in histogram.bucket
    ]
    count = (reading.named(f"{name}_count", labels), float(histogram.sample_count))
    total = (reading.named(f"{name}_sum", labels), histogram.sample_sum)
    return (
        [*buckets, count] if isnan(total[1]) else [*buckets, total, count]
    )  # the text format omits a sum of NaN


@given(snapshot=generated.snapshots)
def test_the_protobuf_page_has_the_same_samples_as_the_text_page(snapshot: Snapshot) -> None:
    exporter = PrometheusExporter(namespace="ns", const_labels={"env": "é"})
    protobuf, text = samples(exporter.render(snapshot, negotiate(PROTOBUF))), {}
    for key, value in reading.samples(exporter.render(snapshot)).items():
        # The text parser considers a counter named `total` a name without the suffix.
        plain = key[0].replace("ns_total_total", "ns_total"), key[1]
        text[key if key in protobuf else plain] = value
    assert protobuf == text


def test_families_have_type_help_and_unit() -> None:
    families = {one.name: (client_model.type_name(one), one.help, one.unit) for one in read(page())}
    assert families == {
        "target_info": ("gauge", "Target metadata", ""),
        "http_requests_total": ("counter", "Requests.", ""),
        "http_connections_active": ("gauge", "", ""),
        "http_request_duration_milliseconds": ("histogram", "Durations.", "milliseconds"),
        "system_memory_usage_bytes": ("gauge", "", "bytes"),
        "jobs_total": ("counter", "", ""),
    }


def test_counters_and_histograms_have_a_creation_time() -> None:
    by_name = {family.name: family.metric[0] for family in read(page())}
    assert by_name["jobs_total"].counter.created_timestamp.ToNanoseconds() == START
    assert by_name["http_request_duration_milliseconds"].histogram.created_timestamp.ToNanoseconds() == START


def test_a_classic_histogram_has_all_its_buckets_and_no_native_ones() -> None:
    [family] = (one for one in read(page()) if one.name == "http_request_duration_milliseconds")
    histogram = family.metric[0].histogram
    assert [(one.upper_bound, one.cumulative_count) for one in histogram.bucket] == [
        (5.0, 2),
        (10.0, 2),
        (float("inf"), 3),
    ]
    assert (histogram.sample_count, histogram.sample_sum) == (3, 30.5)
    assert not histogram.HasField("schema")
    assert not histogram.positive_span


def test_a_family_of_many_series_is_one_message() -> None:
    descriptor = Descriptor(InstrumentationScope("dualmetrics"), "a", Kind.COUNTER, "", "")
    points = tuple(Point((("n", number),), 1, (float(number),)) for number in range(1000))
    exporter, whole = PrometheusExporter(), Snapshot(1, (), (Family(descriptor, points),))
    [family] = read(exporter.render(whole, negotiate(PROTOBUF)))
    assert [metric.counter.value for metric in family.metric] == list(range(1000))
    assert exporter.render(whole, negotiate(PROTOBUF)) == exporter.render(whole, negotiate(PROTOBUF))


def page() -> Page:
    return PrometheusExporter().render(everything(), negotiate(PROTOBUF))


@given(number=st.integers(0, 2**64 - 1))
def test_unsigned_integers_survive(number: int) -> None:
    histogram = protobuf_wire.uint_field(1, number)
    body = protobuf_wire.message_field(4, protobuf_wire.message_field(7, histogram))
    [family] = client_model.families(protobuf_wire.varint(len(body)) + body)
    assert family.metric[0].histogram.sample_count == number


@given(schema=st.integers(-(2**31), 2**31 - 1), delta=st.integers(-(2**63), 2**63 - 1))
def test_signed_integers_survive(schema: int, delta: int) -> None:
    histogram = protobuf_wire.sint_field(5, schema) + protobuf_wire.sint_field(13, delta)
    body = protobuf_wire.message_field(4, protobuf_wire.message_field(7, histogram))
    [family] = client_model.families(protobuf_wire.varint(len(body)) + body)
    assert (family.metric[0].histogram.schema, list(family.metric[0].histogram.positive_delta)) == (
        schema,
        [delta],
    )
