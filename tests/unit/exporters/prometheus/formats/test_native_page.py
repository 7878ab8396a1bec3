"""Native histograms on the protobuf page, together with classic buckets, which every page has."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from dualmetrics import Telemetry
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.exporters.prometheus.formats.native_histograms import to_native
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Family, Point
from tests.unit.exporters.prometheus import client_model
from tests.unit.exporters.prometheus.formats.test_protobuf import PROTOBUF
from tests.unit.exporters.snapshots import HISTOGRAM, START, snapshot
from tests.unit.exporters.test_exponential_histograms import use
from tests.unit.model.test_exponential_histogram import histogram, several

FORMATS = ["text/plain", "application/openmetrics-text; version=1.0.0", PROTOBUF]


def histogram_named(body: bytes, name: str) -> Any:
    """The histogram of the only series of a family."""
    [family] = [family for family in client_model.families(body) if family.name == name]
    [metric] = family.metric
    return metric.histogram


def rendered(*points: Point) -> Any:
    page = PrometheusExporter().render(snapshot(Family(HISTOGRAM, points)), negotiate(PROTOBUF))
    return histogram_named(b"".join(page.pieces), "http_request_duration_milliseconds")


def point(cells: tuple[float, ...], exponential: ExponentialHistogram, attributes: Attributes = ()) -> Point:
    return Point(attributes, START, cells, (), exponential)


@given(several)
def test_the_fields_are_those_of_the_native_histogram(values: list[float]) -> None:
    expected = to_native(histogram(values)._replace(sum=2.5))
    native = rendered(point((0.0, 0.0, 0.0, 2.5), histogram(values)._replace(sum=2.5)))
    assert (native.schema, native.zero_threshold, native.zero_count) == (expected.schema, 0.0, expected.zeros)
    assert (native.sample_count, native.sample_sum) == (len(values), 2.5)
    assert [(span.offset, span.length) for span in native.positive_span] == [*expected.spans]
    assert [*native.positive_delta] == [*expected.deltas]
    assert not [*native.negative_span, *native.negative_delta]


def test_a_native_histogram_has_classic_buckets_as_well() -> None:
    native = rendered(point((1.0, 0.0, 2.0, 30.5), histogram([1.0, 11.0, 12.0])._replace(sum=30.5)))
    buckets = [(bucket.upper_bound, bucket.cumulative_count) for bucket in native.bucket]
    assert buckets == [(5.0, 1), (10.0, 1), (float("inf"), 3)]


def test_no_bucket_exceeds_the_count_while_a_value_is_being_recorded() -> None:
    native = rendered(point((0.0, 3.0, 0.0, 24.0), histogram([8.0, 8.0])._replace(sum=16.0)))
    assert native.sample_count == 2
    assert [bucket.cumulative_count for bucket in native.bucket] == [0, 2, 2]


def test_series_with_equal_labels_are_added() -> None:
    """The labels of `200` and `"200"` are equal."""
    native = rendered(
        point((1.0, 0.0, 0.0, 2.0), histogram([2.0])._replace(sum=2.0), (("status", 200),)),
        point((0.0, 0.0, 1.0, 64.0), histogram([64.0])._replace(sum=64.0), (("status", "200"),)),
    )
    assert (native.sample_count, native.sample_sum) == (2, 66.0)
    assert native.schema == to_native(histogram([2.0, 64.0])).schema


def test_a_histogram_without_exponential_buckets_is_classic() -> None:
    native = rendered(Point((), START, (1.0, 0.0, 2.0, 30.5)))
    assert (native.sample_count, len(native.bucket)) == (3, 3)
    assert not [*native.positive_span]


def test_the_setting_affects_only_the_protobuf_page() -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", native_histograms=True, scope_labels="none")
    use(telemetry)
    pages = {accept: telemetry.render(accept)[1] for accept in FORMATS}
    telemetry.shutdown()
    took = histogram_named(pages.pop(PROTOBUF), "took")
    assert (took.sample_count, took.zero_count, len(took.positive_delta)) == (2, 1, 1)
    assert (len(took.bucket), took.bucket[0].cumulative_count) == (16, 1)
    for page in pages.values():
        assert b'took_bucket{a="b",le="+Inf"} 2' in page


@pytest.mark.parametrize("aggregation", ["explicit_bucket_histogram", "base2_exponential_bucket_histogram"])
def test_exponential_buckets_for_the_push_alone_are_not_on_the_page(aggregation: str) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", histogram_aggregation=aggregation)
    use(telemetry)
    took = histogram_named(telemetry.render(PROTOBUF)[1], "took")
    telemetry.shutdown()
    assert (took.sample_count, [*took.positive_span]) == (2, [])
