"""The observable instruments."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from tests.unit.instruments.recording import Recording


def observations(*pairs: tuple[float, dict[str, str]]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda options: [Observation(value, attributes) for value, attributes in pairs]


def test_observed_value_replaces_the_previous_one(recording: Recording) -> None:
    readings = iter([5.0, 7.0])
    recording.meter.create_observable_counter("o", [lambda options: [Observation(next(readings))]])
    recording.callbacks.run(is_leader=True)
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(): [7.0]}


def test_callback_may_be_a_generator(recording: Recording) -> None:
    def callback() -> Generator[Iterable[Observation], CallbackOptions, None]:
        options = yield []
        while True:
            assert options.timeout_millis > 0
            options = yield [Observation(4)]

    recording.meter.create_observable_up_down_counter("o", [callback()])
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(): [4.0]}


def test_gauge_that_is_no_longer_observed_disappears(recording: Recording) -> None:
    rounds = iter([[Observation(1, {"a": "1"}), Observation(2, {"a": "2"})], [Observation(3, {"a": "2"})]])
    recording.meter.create_observable_gauge("o", [lambda options: next(rounds)])
    recording.callbacks.run(is_leader=True)
    recording.callbacks.run(is_leader=True)
    assert [(point.attributes, point.cells[0]) for point in recording.family().points] == [
        ((("a", "2"),), 3.0)
    ]


Create = Callable[[Recording, list[Callable[[CallbackOptions], Iterable[Observation]]]], object]

SUMS: dict[str, Create] = {
    "counter": lambda recording, callbacks: recording.meter.create_observable_counter("o", callbacks),
    "up_down": lambda recording, callbacks: recording.meter.create_observable_up_down_counter("o", callbacks),
}


@pytest.mark.parametrize("kind", SUMS)
def test_a_sum_that_is_no_longer_observed_disappears_until_it_is_observed_again(
    recording: Recording, kind: str
) -> None:
    both = [Observation(1, {"a": "1"}), Observation(2, {"a": "2"})]
    rounds = iter([both, [Observation(3, {"a": "2"})], [Observation(5, {"a": "1"})]])
    SUMS[kind](recording, [lambda options: next(rounds)])
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(("a", "1"),): [1.0], (("a", "2"),): [2.0]}
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(("a", "2"),): [3.0]}
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(("a", "1"),): [5.0]}


@pytest.mark.parametrize("kind", SUMS)
def test_a_sum_stays_when_a_callback_fails(recording: Recording, kind: str) -> None:
    rounds = iter([False, True])

    def callback(options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(1, {"a": "1"})
        if next(rounds):
            raise RuntimeError("no queue")
        yield Observation(2, {"a": "2"})

    SUMS[kind](recording, [callback])
    recording.callbacks.run(is_leader=True)
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(("a", "1"),): [1.0], (("a", "2"),): [2.0]}


def test_callback_that_raises_does_not_affect_others(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(options: CallbackOptions) -> Iterable[Observation]:
        yield Observation(1, {"before": "the error"})
        raise RuntimeError("no queue")

    recording.meter.create_observable_gauge("o", [broken, observations((2, {"from": "another"}))])
    recording.callbacks.run(is_leader=True)
    recording.callbacks.run(is_leader=True)
    assert len(recording.family().points) == 2
    assert recording.errors.error_count == 2
    assert caplog.text.count("RuntimeError: no queue") == 1


def test_once_per_group_instruments_are_observed_by_the_leader_only() -> None:
    recording = Recording()
    recording.provider.get_group_meter("tests").create_observable_counter("o", [observations((3, {}))])
    recording.callbacks.run(is_leader=False)
    assert recording.store.read().families == []
    recording.callbacks.run(is_leader=True)
    assert recording.cells() == {(): [3.0]}
