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


def about_instruments(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "the instrument" in message]


def test_a_name_in_upper_and_in_lower_case_is_one_instrument_and_logged_once(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("Jobs", "jobs", "JOBS", "Jobs"):
        recording.meter.create_counter(name).add(1)
    assert recording.cells() == {(): [4.0]}
    (message,) = about_instruments(caplog)
    assert "instrument jobs of tests was also registered as Jobs" in message


def test_two_descriptions_of_one_instrument_are_logged_once_and_the_first_is_used(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    for description in ("First.", "", "Second.", "Third.", "First."):
        recording.meter.create_counter("jobs", "", description).add(1)
    assert recording.family().descriptor.description == "First."
    (message,) = about_instruments(caplog)
    assert "jobs of tests is registered again with another description" in message
    assert "'First.'" in message


def test_the_same_instrument_twice_and_one_name_in_two_scopes_are_not_logged(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        recording.meter.create_histogram("took", "s", "Took.")
    recording.provider.get_meter("other").create_histogram("Took", "ms", "Something else.")
    assert about_instruments(caplog) == []


def test_fastapi_metrics_are_not_recorded_and_a_hint_is_logged(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        recording.provider.get_meter("fastapi", "1.0").create_counter("c").add(1)
        recording.provider.get_meter("fastapi").create_counter("c").add(1)
    assert caplog.messages == [UNRECORDED_SCOPES["fastapi"]]
    assert recording.store.read().families == []
