"""A sum that is NaN does not vanish silently, and makes no page invalid."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram, Summary
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dualmetrics import Telemetry
from tests.unit.bridges.bridged import make_metric, push_registry, registry_of, telemetry
from tests.unit.exporters.prometheus import reading

MESSAGE = "dualmetrics: the sum of %s is NaN, because the app has observed NaN."


def openmetrics(recording: Telemetry) -> dict[str, dict[str, float]]:
    """The samples of each family, as the strict parser of prometheus_client reads them."""
    text = recording.render(reading.OPENMETRICS)[1].decode()
    return {
        family.name: {sample.name: sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # of theirs
    }


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "NaN" in message]


def observe_nan(kind: Any) -> CollectorRegistry:
    registry = CollectorRegistry()
    metric = kind("size", "Size.", registry=registry)
    metric.observe(1)
    metric.observe(math.nan)
    return registry


@pytest.mark.parametrize("kind", [Histogram, Summary])
def test_it_is_logged_once_and_the_rest_of_the_metric_is_shown(
    kind: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    registry = observe_nan(kind)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        openmetrics(recording)
        shown = openmetrics(recording)["size"]
    assert "size_sum" not in shown
    assert shown["size_bucket" if kind is Histogram else "size_count"] in (1, 2)
    (message,) = warnings_of(caplog)
    assert message.startswith(MESSAGE % "size")


def test_the_push_has_the_histogram_without_a_sum(tmp_path: Path) -> None:
    [point] = push_registry(tmp_path, observe_nan(Histogram))["size"].histogram.data_points
    assert not point.HasField("sum")
    assert point.count == 1  # a value that is no number lies in no bucket


def test_a_missing_sum_is_not_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    buckets = [("_bucket", {"le": "1"}, 2.0), ("_bucket", {"le": "+Inf"}, 3.0)]
    bare = registry_of(make_metric("histogram", "bare", *buckets))
    with telemetry(tmp_path, bare, metrics_exporter="prometheus") as recording:
        openmetrics(recording)
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("total", [-1.0, math.nan])
def test_a_summary_whose_sum_is_no_counter_leaves_the_page_valid(tmp_path: Path, total: float) -> None:
    summary = make_metric("summary", "size", ("_sum", {}, total), ("_count", {}, 4.0))
    with telemetry(tmp_path, registry_of(summary), metrics_exporter="prometheus") as recording:
        assert openmetrics(recording)["size"] == {"size_count": 4.0}
