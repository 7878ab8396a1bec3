"""The meter and its provider: which instruments they create, and which arguments they reject."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from dualmetrics.instruments.meter import UNRECORDED_SCOPES
from tests.unit.instruments.recording import Recording


def test_configured_boundaries_take_precedence_over_advised_ones() -> None:
    recording = Recording({"size": (10.0,)})
    recording.meter.create_histogram("Size", explicit_bucket_boundaries_advisory=[1, 2]).record(3)
    assert recording.family().descriptor.bounds == (10.0,)


@pytest.mark.parametrize("name", ["", "1a", "a b", "a" * 256, "ä", None, "a\n"])
def test_bad_name_raises(recording: Recording, name: Any) -> None:
    with pytest.raises(ValueError, match="instrument name"):
        recording.meter.create_counter(name)


@pytest.mark.parametrize("unit", ["a" * 64, "µs"])
def test_bad_unit_raises(recording: Recording, unit: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        recording.meter.create_counter("c", unit)


@pytest.mark.parametrize("bounds", [[2, 1], [1, 1], [float("inf")], [float("nan")]])
def test_boundaries_must_be_finite_and_ascend(recording: Recording, bounds: list[float]) -> None:
    with pytest.raises(ValueError, match="boundaries of h"):
        recording.meter.create_histogram("h", explicit_bucket_boundaries_advisory=bounds)


def test_names_are_converted_to_lower_case(recording: Recording) -> None:
    recording.meter.create_counter("HTTP.Hits").add(1)
    recording.meter.create_counter("http.hits").add(1)
    assert recording.family().descriptor.name == "http.hits"
    assert recording.cells() == {(): [2.0]}


def test_repeated_registration_returns_the_same_instrument(recording: Recording) -> None:
    assert recording.meter.create_counter("c", "s") is recording.meter.create_counter("C", "s", "other words")
    assert recording.provider.get_meter("tests") is recording.meter


def test_conflicting_registration_logs_a_warning_and_works(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    recording.meter.create_counter("c", "s").add(1)
    with caplog.at_level(logging.WARNING):
        recording.meter.create_counter("c", "ms").add(1)
    assert "registered again" in caplog.text
    assert len(recording.store.read().families) == 2


def test_fastapi_metrics_are_not_recorded_and_a_hint_is_logged(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        recording.provider.get_meter("fastapi", "1.0").create_counter("c").add(1)
        recording.provider.get_meter("fastapi").create_counter("c").add(1)
    assert caplog.messages == [UNRECORDED_SCOPES["fastapi"]]
    assert recording.store.read().families == []
