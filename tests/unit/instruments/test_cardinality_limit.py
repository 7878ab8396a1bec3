"""What instruments do past the cardinality limit, where an attacker may send a new set with every call."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import pytest

from dualmetrics import Telemetry
from dualmetrics.workers import cardinality

LIMIT = 3
OVERFLOW = (("otel.metric.overflow", True),)


class Color(str, enum.Enum):
    RED = "red"


def telemetry(directory: Path) -> Telemetry:
    return Telemetry(
        metrics_exporter="prometheus", cardinality_limit=LIMIT, directory=str(directory), label="one"
    )


def cells(telemetry: Telemetry, name: str) -> dict[Any, float]:
    families = {family.descriptor.name: family for family in telemetry.snapshot().families}
    return {point.attributes: point.cells[0] for point in families[name].points}


def fill(telemetry: Telemetry) -> Any:
    """A counter with as many sets as are admitted, and one more."""
    counter = telemetry.meter("app").create_counter("hits")
    for number in range(LIMIT + 1):
        counter.add(1, {"n": str(number)})
    return counter


def test_each_set_past_the_limit_is_counted_once(tmp_path: Path) -> None:
    recording = telemetry(tmp_path)
    counter = fill(recording)
    for _ in range(3):
        for number in range(4000):
            counter.add(1, {"n": f"past {number}"})
    assert cells(recording, "hits")[OVERFLOW] == 12_001
    assert cells(recording, "dualmetrics.overflows") == {(("metric", "hits"),): 4001}
    recording.shutdown()


def test_known_sets_stay_in_their_series(tmp_path: Path) -> None:
    recording = telemetry(tmp_path)
    counter = fill(recording)
    for number in range(20_000):
        counter.add(1, {"n": f"past {number}"})
        counter.add(1, {"n": str(number % LIMIT)})
    found = cells(recording, "hits")
    assert sum(found[("n", str(number)),] for number in range(LIMIT)) == 20_000 + LIMIT
    recording.shutdown()


def test_a_set_that_another_worker_has_admitted_is_found(tmp_path: Path) -> None:
    one, other = telemetry(tmp_path), telemetry(tmp_path)
    one.meter("app").create_counter("hits").add(1, {"n": "of the other", "b": "2"})
    counter = other.meter("app").create_counter("hits")
    for number in range(LIMIT):
        counter.add(1, {"n": str(number)})
    counter.add(1, {"b": "2", "n": "of the other"})
    assert cells(other, "hits")[("b", "2"), ("n", "of the other")] == 2
    one.shutdown()
    other.shutdown()


@pytest.mark.parametrize(
    "attributes",
    [
        {"n": 1},
        {"n": "x" * 5000},
        {"n": "\udc80"},
        {"n": Color.RED},
        {"n": ["a", "b"]},
        {"n": "a", "": "dropped"},
        {"n": "a", 5: "dropped"},
        {"n": "a", "m": None},
        {},
    ],
    ids=repr,
)
def test_a_set_that_is_normalized_is_still_found_when_the_metric_is_full(
    tmp_path: Path, attributes: dict[Any, Any]
) -> None:
    recording = telemetry(tmp_path)
    counter = recording.meter("app").create_counter("hits")
    counter.add(1, attributes)
    for number in range(LIMIT + 2):
        counter.add(1, {"n": f"past {number}"})
    before = cells(recording, "hits")[OVERFLOW]
    recording._components.store.invalidate_rows()  # so that the caches know no set
    for number in range(LIMIT, LIMIT + 2):
        counter.add(1, {"n": f"past {number}"})
    counter.add(1, attributes)
    assert cells(recording, "hits")[OVERFLOW] == before + 2
    recording.shutdown()


def test_a_set_with_the_crc_of_an_admitted_one_is_not_admitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cardinality, "crc32", lambda data: 0)
    recording = telemetry(tmp_path)
    counter = fill(recording)
    for number in range(100):
        counter.add(1, {"n": f"past {number}"})
    assert cells(recording, "hits")[OVERFLOW] == 101
    assert len(cells(recording, "hits")) == LIMIT + 1
    recording.shutdown()


def test_histograms_overflow_likewise(tmp_path: Path) -> None:
    recording = Telemetry(
        metrics_exporter="prometheus",
        cardinality_limit=LIMIT,
        directory=str(tmp_path),
        native_histograms=True,
    )
    histogram = recording.meter("app").create_histogram("took")
    for number in range(100):
        histogram.record(1, {"n": str(number)})
    families = {family.descriptor.name: family for family in recording.snapshot().families}
    [overflow] = [point for point in families["took"].points if point.attributes == OVERFLOW]
    assert sum(overflow.cells[:-1]) == 100 - LIMIT
    assert overflow.exponential is not None
    assert overflow.exponential.total_count == 100 - LIMIT
    recording.shutdown()
