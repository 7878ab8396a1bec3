"""The bucket boundaries of own histograms, where nobody gives any: they fit the unit."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.instruments.default_bounds import BOUNDS_BY_UNIT, OTHER_BOUNDS, default_bounds
from tests.unit.instruments.recording import Recording

DOCUMENT = Path(os.environ.get("TEST_CHECKOUT", "."), "docs", "own-metrics.md")

TYPICAL = {
    "s": (0.02, 0.2, 2),
    "ms": (20, 200, 2000),
    "us": (3, 30, 300, 3000),
    "ns": (3000, 30_000, 3e6),
    "min": (0.3, 3, 45),
    "h": (0.3, 3, 30),
    "d": (0.3, 5, 60),
    "By": (200, 50_000, 3e6),
    "KiBy": (0.2, 50, 3000),
    "MiBy": (0.2, 50, 3000),
    "1": (0.03, 0.3, 0.97),
    "%": (3, 33, 97),
}
"""Values that a dashboard must be able to tell apart."""


def bounds_of(recording: Recording, unit: str) -> tuple[float, ...]:
    recording.meter.create_histogram("size", unit).record(1)
    return recording.family().descriptor.bounds


@pytest.mark.parametrize("unit", TYPICAL)
def test_typical_values_of_a_unit_lie_in_different_buckets(recording: Recording, unit: str) -> None:
    bounds = bounds_of(recording, unit)
    buckets = [bisect_left(bounds, value) for value in TYPICAL[unit]]
    assert len(set(buckets)) == len(buckets)
    assert buckets[0] > 0
    assert buckets[-1] < len(bounds)


@pytest.mark.parametrize("unit", ["", "{order}", "By/s", "Cel", "furlong"])
def test_other_units_have_the_boundaries_of_the_specification(recording: Recording, unit: str) -> None:
    assert bounds_of(recording, unit) == tuple(map(float, OTHER_BOUNDS))


@pytest.mark.parametrize(("word", "unit"), [("seconds", "s"), ("milliseconds", "ms"), ("bytes", "By")])
def test_a_unit_in_words_counts_like_its_abbreviation(recording: Recording, word: str, unit: str) -> None:
    assert bounds_of(recording, word) == default_bounds(unit)


@pytest.mark.parametrize("bounds", BOUNDS_BY_UNIT.values())
def test_boundaries_ascend_and_are_few(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))
    assert 10 <= len(bounds) <= 17


def test_a_setting_and_the_app_take_precedence_over_the_unit() -> None:
    recording = Recording({"b": (3.0,)})
    recording.meter.create_histogram("a", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1)
    recording.meter.create_histogram("b", "s", explicit_bucket_boundaries_advisory=[1, 2]).record(1)
    recording.meter.create_histogram("c", "s", explicit_bucket_boundaries_advisory=[]).record(1)
    found = {family.descriptor.name: family.descriptor.bounds for family in recording.store.read().families}
    assert found == {"a": (1.0, 2.0), "b": (3.0,), "c": ()}


def test_the_page_shows_a_histogram_in_seconds_in_useful_buckets() -> None:
    telemetry = Telemetry(metrics_exporter="prometheus")
    telemetry.meter("shop").create_histogram("lat", "s").record(0.2)
    page = telemetry.render()[1].decode()
    telemetry.shutdown()
    counts = re.findall(r'lat_seconds_bucket{.*le="([^"]+)"} (\d+)', page)
    assert [bound for bound, count in counts if count == "0"][-1] == "0.1"
    assert counts[[count for _, count in counts].index("1")][0] == "0.25"


def test_the_document_has_the_boundaries_of_each_unit() -> None:
    rows = re.findall(r"^\| (`.+`|any other) \| ([0-9., ]+) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    documented = {
        unit.strip("`"): tuple(map(float, bounds.split(", ")))
        for units, bounds in rows
        for unit in units.split(", ")
    }
    assert documented == {
        **{unit: tuple(map(float, bounds)) for unit, bounds in BOUNDS_BY_UNIT.items()},
        "any other": tuple(map(float, OTHER_BOUNDS)),
    }
