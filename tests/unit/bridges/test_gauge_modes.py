"""How gauges of prometheus_client are merged over workers: as their ``multiprocess_mode`` says."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge

from dualmetrics.cli.otlp_receiver import Receiver
from tests.unit.bridges.bridged import shown_samples, telemetry

VALUES = (3.0, 1.0, 2.0)


def shown(tmp_path: Path, mode: str, **settings: Any) -> dict[Any, str]:
    """What a page shows of a gauge that three workers have set, one after the other."""
    with contextlib.ExitStack() as stack:
        workers = []
        for value in VALUES:
            registry = CollectorRegistry()
            Gauge("g", "", registry=registry, multiprocess_mode=mode).set(value)  # type: ignore[arg-type]
            recording = stack.enter_context(
                telemetry(tmp_path, registry, label="one", metrics_exporter="prometheus", **settings)
            )
            recording.render()
            workers.append(recording)
        return shown_samples(workers[0])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("livesum", "6.0"),
        ("sum", "6.0"),
        ("livemax", "3.0"),
        ("max", "3.0"),
        ("livemin", "1.0"),
        ("min", "1.0"),
        ("mostrecent", "2.0"),
        ("livemostrecent", "2.0"),
        ("all", "2.0"),
    ],
)
def test_a_gauge_is_merged_as_its_mode_says(tmp_path: Path, mode: str, expected: str) -> None:
    assert shown(tmp_path, mode) == {("g", ()): expected}


def test_a_gauge_of_the_mode_liveall_is_shown_for_each_worker(tmp_path: Path) -> None:
    assert shown(tmp_path, "liveall") == {
        ("g", (("worker", str(number)),)): str(value) for number, value in enumerate(VALUES)
    }


def test_a_setting_for_the_name_wins_over_the_mode_and_the_mode_over_that_for_all(tmp_path: Path) -> None:
    assert shown(tmp_path / "1", "livesum", gauge_merge="g=max") == {("g", ()): "3.0"}
    assert shown(tmp_path / "2", "livesum", gauge_merge="min") == {("g", ()): "6.0"}
    assert shown(tmp_path / "3", "all", gauge_merge="min") == {("g", ()): "1.0"}


def test_a_gauge_still_keeps_its_mode_only_in_a_private_attribute() -> None:
    """If this fails, look at `registry._gauge_merge`: the attribute is gone, or there is a public name."""
    gauge = Gauge("g", "", registry=None, multiprocess_mode="livesum")
    assert gauge._multiprocess_mode == "livesum"
    assert not [name for name in dir(gauge) if "mode" in name and not name.startswith("_")]


def test_a_label_with_an_empty_value_is_left_out_of_both_exports(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Counter("jobs", "", ["queue", "kind"], registry=registry).labels("", "mail").inc()
    with Receiver() as receiver, telemetry(tmp_path, registry, endpoint=receiver.http_endpoint) as recording:
        assert shown_samples(recording) == {("jobs_total", (("kind", "mail"),)): "1.0"}
        assert recording.force_flush()
        [attributes] = [pairs for (_, name, pairs, _) in receiver.series() if name == "jobs_total"]
        assert dict(attributes) == {"kind": "mail"}
