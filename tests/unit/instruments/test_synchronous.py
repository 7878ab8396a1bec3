"""The synchronous instruments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics

from dualmetrics.model.descriptor import Kind
from tests.unit.instruments.recording import Recording

SYNCHRONOUS: dict[str, Callable[[metrics.Meter], Callable[..., None]]] = {
    "counter": lambda meter: meter.create_counter("c").add,
    "up_down_counter": lambda meter: meter.create_up_down_counter("u").add,
    "histogram": lambda meter: meter.create_histogram("h").record,
    "gauge": lambda meter: meter.create_gauge("g").set,
}


def test_counters_add(recording: Recording) -> None:
    counter = recording.meter.create_counter("hits", "{hit}", "Hits.")
    counter.add(1)
    counter.add(2.5, {"a": "b"})
    counter.add(2, {"a": "b"})
    assert recording.cells() == {(): [1.0], (("a", "b"),): [4.5]}
    descriptor = recording.family().descriptor
    assert (descriptor.kind, descriptor.unit, descriptor.description) == (Kind.COUNTER, "{hit}", "Hits.")


def test_up_down_counters_rise_and_fall(recording: Recording) -> None:
    counter = recording.meter.create_up_down_counter("active")
    counter.add(3)
    counter.add(-5)
    assert recording.cells() == {(): [-2.0]}


def test_gauges_keep_the_last_value_and_its_time(recording: Recording) -> None:
    gauge = recording.meter.create_gauge("temperature")
    gauge.set(3)
    gauge.set(-2.5)
    [(value, time)] = recording.cells().values()
    assert value == -2.5
    assert time > 1e9


def test_histogram_buckets_include_their_upper_bound(recording: Recording) -> None:
    histogram = recording.meter.create_histogram("size", explicit_bucket_boundaries_advisory=[1, 2])
    for value in (0, 1, 1.5, 2, 3):
        histogram.record(value)
    assert recording.cells() == {(): [2.0, 2.0, 1.0, 7.5]}


@pytest.mark.parametrize("kind", SYNCHRONOUS)
@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        (None, ()),
        ({}, ()),
        ({"b": "2", "a": "1"}, (("a", "1"), ("b", "2"))),
        ({"i": 1, "f": 1.5, "t": True}, (("f", 1.5), ("i", 1), ("t", True))),
        ({"l": ["x", "y"], "n": [1, 2], "e": []}, (("e", ()), ("l", ("x", "y")), ("n", (1, 2)))),
        ({"bytes": b"abc"}, (("bytes", "abc"),)),
        ({"none": None, "object": object(), "mixed": [1, "a"], "": "x", "ok": "y"}, (("ok", "y"),)),
        ({1: "x"}, ()),
    ],
)
def test_attributes_of_allowed_types_are_kept_and_others_dropped(
    kind: str, attributes: Any, kept: tuple[Any, ...]
) -> None:
    recording = Recording()
    record = SYNCHRONOUS[kind](recording.meter)
    record(1, attributes)
    record(1, attributes)
    assert list(recording.cells()) == [kept]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abc"),
            st.one_of(st.integers(0, 2), st.booleans(), st.sampled_from([0.0, 1.0, 2.0, "1", "0"])),
            max_size=3,
        ),
        max_size=30,
    )
)
def test_equal_values_of_different_types_are_different_series(
    sets: list[dict[str, Any]],
) -> None:
    recording = Recording()
    counter = recording.meter.create_counter("c")
    expected: dict[frozenset[tuple[str, type, Any]], int] = {}
    for attributes in sets:
        counter.add(1, attributes)
        key = frozenset((name, type(value), value) for name, value in attributes.items())
        expected[key] = expected.get(key, 0) + 1
    points = [point for family in recording.store.read().families for point in family.points]
    found = {
        frozenset((name, type(value), value) for name, value in point.attributes): point.cells[0]
        for point in points
    }
    assert found == expected


@pytest.mark.parametrize("kind", ["counter", "histogram"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", None])
def test_bad_value_is_ignored_counted_as_an_error_and_logged_once(
    recording: Recording, caplog: pytest.LogCaptureFixture, kind: str, value: Any
) -> None:
    record = SYNCHRONOUS[kind](recording.meter)
    for _ in range(3):
        record(value)
    record(1)
    assert recording.family().points[0].cells[-1] == 1.0
    assert recording.errors.error_count == 3
    assert (
        len([entry for entry in caplog.messages if "does not accept" in entry or "recording" in entry]) == 1
    )


def test_opentelemetry_has_no_public_name_for_the_gauge() -> None:
    """If this fails, `synchronous._ApiGauge` can use the public name."""
    assert not hasattr(metrics, "Gauge")
    assert "_Gauge" in metrics.__all__
