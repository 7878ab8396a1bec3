"""Snapshots are split into messages that are small enough, and no point is lost or duplicated."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

from dualmetrics.exporters.otlp.batching import batches
from dualmetrics.exporters.otlp.sdk_model import to_metrics_data
from dualmetrics.model.snapshot import Family, Point
from tests.unit.exporters.snapshots import COUNTER, HISTOGRAM, START, UP_DOWN, many, snapshot

values = st.one_of(st.text(max_size=40), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.floats())
attributes = st.dictionaries(st.text(min_size=1, max_size=20), values, max_size=4).map(
    lambda d: tuple(sorted(d.items()))
)
points = st.lists(attributes.map(lambda pairs: Point(pairs, START, (1.0,))), max_size=12).map(tuple)


@given(st.lists(st.tuples(st.sampled_from([COUNTER, UP_DOWN]), points), max_size=4), st.integers(100, 2000))
def test_the_parts_have_every_point_once_and_in_order(
    metrics: list[tuple[object, tuple[Point, ...]]], limit: int
) -> None:
    whole = snapshot(*(Family(*metric) for metric in metrics))  # type: ignore[arg-type]  # pairs of a descriptor and points
    parts = list(batches(whole, limit))
    pairs = [
        (family.descriptor, point) for part in parts for family in part.families for point in family.points
    ]
    assert repr(pairs) == repr(
        [(family.descriptor, point) for family in whole.families for point in family.points]
    )
    assert all((part.time_ns, part.resource) == (whole.time_ns, whole.resource) for part in parts)
    assert all(family.points for part in parts for family in part.families)


@given(points, st.integers(500, 3000))
def test_an_encoded_part_of_several_points_is_within_the_limit(
    several: tuple[Point, ...], limit: int
) -> None:
    for part in batches(snapshot(Family(COUNTER, several)), limit):
        size = sum(
            point.ByteSize()
            for metric in encode_metrics(to_metrics_data(part)).resource_metrics[0].scope_metrics[0].metrics
            for point in metric.sum.data_points
        )
        assert size <= limit or len(part.families[0].points) == 1


def test_the_estimate_is_one_to_two_times_the_encoded_size() -> None:
    (part,) = batches(many(1000))
    encoded = encode_metrics(to_metrics_data(part)).ByteSize()
    limits = [limit for limit in range(200_000, 1_000_000, 10_000) if len(list(batches(part, limit))) == 1]
    assert encoded <= limits[0] <= 2 * encoded


def test_an_empty_snapshot_has_no_parts() -> None:
    assert list(batches(snapshot())) == []
    assert list(batches(snapshot(Family(HISTOGRAM, ())))) == []


@given(st.integers(200, 5000))
def test_equal_points_are_split_into_equal_parts_except_the_last(limit: int) -> None:
    alike = Point((("route", "/a"),), START, (1.0,))
    sizes = [
        len(part.families[0].points) for part in batches(snapshot(Family(COUNTER, (alike,) * 100)), limit)
    ]
    assert len(set(sizes[:-1])) <= 1
    assert sizes[-1] <= sizes[0]
