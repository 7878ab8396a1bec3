"""The OpenTelemetry metrics API on a private store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.config.loading import load_settings
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.meter import MeterProvider
from dualmetrics.model.descriptor import Kind
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import ErrorReporter
from tests.unit.stores import worker


class Recording:
    """A provider on private memory, and what it recorded."""

    def __init__(
        self, buckets: dict[str, tuple[float, ...]] | None = None, once_per_group: bool = False
    ) -> None:
        self.store: GroupStore = worker(None)
        self.errors = ErrorReporter()
        self.observers = CallbackRunner(self.errors)
        exemplars = ExemplarFilter(self.store, self.errors, load_settings({}))
        self.provider = MeterProvider(
            self.store, self.observers, self.errors, exemplars, buckets or {}, once_per_group
        )
        self.meter = self.provider.get_meter("tests")

    def family(self) -> Family:
        """The only metric."""
        [family] = self.store.read().families
        return family

    def cells(self) -> dict[tuple[Any, ...], list[float]]:
        return {point.attributes: list(point.cells) for point in self.family().points}


@pytest.fixture
def recording() -> Recording:
    return Recording()


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


def test_up_down_counters_go_both_ways(recording: Recording) -> None:
    counter = recording.meter.create_up_down_counter("active")
    counter.add(3)
    counter.add(-5)
    assert recording.cells() == {(): [-2.0]}


def test_gauges_keep_the_last_value_and_its_time(recording: Recording) -> None:
    gauge = recording.meter.create_gauge("temperature")
    gauge.set(3)
    gauge.set(-2.5)
    [(value, at)] = recording.cells().values()
    assert value == -2.5
    assert at > 1e9


def test_histogram_buckets_include_their_upper_bound(recording: Recording) -> None:
    histogram = recording.meter.create_histogram("size", explicit_bucket_boundaries_advisory=[1, 2])
    for value in (0, 1, 1.5, 2, 3):
        histogram.record(value)
    assert recording.cells() == {(): [2.0, 2.0, 1.0, 7.5]}


def test_boundaries_set_by_the_operator_come_before_the_advice() -> None:
    recording = Recording({"size": (10.0,)})
    recording.meter.create_histogram("Size", explicit_bucket_boundaries_advisory=[1, 2]).record(3)
    assert recording.family().descriptor.bounds == (10.0,)


@pytest.mark.parametrize("kind", SYNCHRONOUS)
@pytest.mark.parametrize(
    ("given_attributes", "kept"),
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
def test_attributes_of_every_allowed_type_are_kept_and_others_left_out(
    kind: str, given_attributes: Any, kept: tuple[Any, ...]
) -> None:
    recording = Recording()
    record = SYNCHRONOUS[kind](recording.meter)
    record(1, given_attributes)
    record(1, given_attributes)
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
def test_values_that_are_equal_in_python_only_are_different_series(sets: list[dict[str, Any]]) -> None:
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
def test_a_value_that_cannot_be_counted_is_left_out_and_counted_as_an_error(
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


@pytest.mark.parametrize("name", ["", "1a", "a b", "a" * 256, "ä", None, "a\n"])
def test_a_bad_name_raises_and_is_named(recording: Recording, name: Any) -> None:
    with pytest.raises(ValueError, match="instrument name"):
        recording.meter.create_counter(name)


@pytest.mark.parametrize("unit", ["a" * 64, "µs"])
def test_a_bad_unit_raises_and_is_named(recording: Recording, unit: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        recording.meter.create_counter("c", unit)


@pytest.mark.parametrize("bounds", [[2, 1], [1, 1], [float("inf")], [float("nan")]])
def test_boundaries_that_do_not_ascend_raise(recording: Recording, bounds: list[float]) -> None:
    with pytest.raises(ValueError, match="boundaries of h"):
        recording.meter.create_histogram("h", explicit_bucket_boundaries_advisory=bounds)


def test_names_are_in_lower_case_as_otlp_sends_them(recording: Recording) -> None:
    recording.meter.create_counter("HTTP.Hits").add(1)
    recording.meter.create_counter("http.hits").add(1)
    assert recording.family().descriptor.name == "http.hits"
    assert recording.cells() == {(): [2.0]}


def test_a_repeated_registration_gives_the_same_instrument(recording: Recording) -> None:
    assert recording.meter.create_counter("c", "s") is recording.meter.create_counter("C", "s", "other words")
    assert recording.provider.get_meter("tests") is recording.meter


def test_a_conflicting_registration_warns_and_works(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    recording.meter.create_counter("c", "s").add(1)
    with caplog.at_level(logging.WARNING):
        recording.meter.create_counter("c", "ms").add(1)
    assert "registered again" in caplog.text
    assert len(recording.store.read().families) == 2


def test_fastapis_own_instruments_do_nothing(recording: Recording) -> None:
    meter = recording.provider.get_meter("fastapi")
    meter.create_counter("c").add(1)
    assert recording.store.read().families == []


def observations(*pairs: tuple[float, dict[str, str]]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda options: [Observation(value, attributes) for value, attributes in pairs]


def test_observables_are_overwritten_by_what_is_observed(recording: Recording) -> None:
    readings = iter([5.0, 7.0])
    recording.meter.create_observable_counter("o", [lambda options: [Observation(next(readings))]])
    recording.observers.run(is_leader=True)
    recording.observers.run(is_leader=True)
    assert recording.cells() == {(): [7.0]}


def test_a_generator_is_a_callback_too(recording: Recording) -> None:
    def callback() -> Generator[Iterable[Observation], CallbackOptions, None]:
        options = yield []
        while True:
            assert options.timeout_millis > 0
            options = yield [Observation(4)]

    recording.meter.create_observable_up_down_counter("o", [callback()])
    recording.observers.run(is_leader=True)
    assert recording.cells() == {(): [4.0]}


def test_a_gauge_that_is_not_observed_any_more_disappears(recording: Recording) -> None:
    rounds = iter([[Observation(1, {"a": "1"}), Observation(2, {"a": "2"})], [Observation(3, {"a": "2"})]])
    recording.meter.create_observable_gauge("o", [lambda options: next(rounds)])
    recording.observers.run(is_leader=True)
    recording.observers.run(is_leader=True)
    assert [(point.attributes, point.cells[0]) for point in recording.family().points] == [
        ((("a", "2"),), 3.0)
    ]


def test_a_callback_that_raises_costs_only_its_own_values(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(1, {"before": "the error"})
        raise RuntimeError("no queue")

    recording.meter.create_observable_gauge("o", [broken, observations((2, {"from": "another"}))])
    recording.observers.run(is_leader=True)
    recording.observers.run(is_leader=True)
    assert len(recording.family().points) == 2
    assert recording.errors.error_count == 2
    assert caplog.text.count("RuntimeError: no queue") == 1


def test_what_holds_for_the_group_is_observed_by_the_elected_worker_alone() -> None:
    recording = Recording(once_per_group=True)
    recording.meter.create_observable_counter("o", [observations((3, {}))])
    recording.observers.run(is_leader=False)
    assert recording.store.read().families == []
    recording.observers.run(is_leader=True)
    assert recording.cells() == {(): [3.0]}
