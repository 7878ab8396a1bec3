"""The metrics of an SDK provider are imported by our `MetricReader`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from dualmetrics import Telemetry
from dualmetrics.bridges.sdk import MetricReader
from dualmetrics.cli.otlp_receiver import Receiver
from tests.unit.bridges.bridged import received_scopes, shown_samples, telemetry

SCOPE = ("otel_scope_name", "app")


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Telemetry]:
    with telemetry(tmp_path, metrics_exporter="prometheus") as recording:
        yield recording


def provider(recording: Telemetry, *views: View) -> MeterProvider:
    return MeterProvider([MetricReader(recording)], views=views)


def test_every_kind_of_instrument_is_shown(recording: Telemetry) -> None:
    def observe(options: CallbackOptions) -> Iterator[Observation]:
        yield Observation(7, {"a": "b"})

    meter = provider(recording).get_meter("app")
    meter.create_counter("jobs").add(2.5)
    meter.create_up_down_counter("open").add(-2)
    meter.create_gauge("level").set(3)
    meter.create_histogram("size", explicit_bucket_boundaries_advisory=[1, 10]).record(5)
    meter.create_observable_counter("seen", [observe])
    meter.create_observable_up_down_counter("held", [observe])
    meter.create_observable_gauge("heat", [observe])
    values = {
        name: value
        for (name, labels), value in shown_samples(recording).items()
        if ("le", "1.0") not in labels
    }
    assert values["jobs_total"] == "2.5"
    assert values["open"] == "-2.0"
    assert values["level"] == "3.0"
    assert (values["size_count"], values["size_sum"]) == ("1.0", "5.0")
    assert values["seen_total"] == values["held"] == values["heat"] == "7.0"


def test_views_are_applied(recording: Telemetry) -> None:
    meter = provider(
        recording,
        View(instrument_name="jobs", name="tasks", attribute_keys={"kept"}),
        View(instrument_name="size", aggregation=ExplicitBucketHistogramAggregation([2, 4])),
        View(instrument_name="secret", aggregation=None, name="secret_kept"),
    ).get_meter("app")
    meter.create_counter("jobs").add(1, {"kept": "x", "dropped": "y"})
    meter.create_histogram("size").record(3)
    samples = shown_samples(recording)
    assert samples["tasks_total", (("kept", "x"), SCOPE)] == "1.0"
    bounds = {dict(labels)["le"] for name, labels in samples if name == "size_bucket"}
    assert bounds == {"2.0", "4.0", "inf"}


def test_scope_unit_description_and_start_are_kept(tmp_path: Path) -> None:
    with (
        Receiver() as receiver,
        telemetry(tmp_path, endpoint=receiver.http_endpoint) as recording,
    ):
        meter = provider(recording).get_meter("app", "1.2", "https://schema", {"x": 1})
        meter.create_counter("jobs", "By", "Jobs.").add(1, {"n": 1})
        meter.create_counter("jobs", "By", "Jobs.").add(1, {"n": True})
        assert recording.force_flush()
        [scope] = [scope for scope in received_scopes(receiver) if scope.scope.name == "app"]
    [metric] = scope.metrics
    assert (scope.scope.version, scope.schema_url) == ("1.2", "https://schema")
    assert (metric.name, metric.unit, metric.description) == ("jobs", "By", "Jobs.")
    assert metric.sum.is_monotonic
    assert all(point.start_time_unix_nano for point in metric.sum.data_points)


def test_flushing_the_provider_loses_nothing(recording: Telemetry) -> None:
    sdk_provider = provider(recording)
    meter = sdk_provider.get_meter("app")
    jobs, sizes = meter.create_counter("jobs"), meter.create_histogram("sizes")
    for _ in range(3):
        jobs.add(1)
        sizes.record(5)
        sdk_provider.force_flush()
    samples = shown_samples(recording)
    assert samples["jobs_total", (SCOPE,)] == samples["sizes_count", (SCOPE,)] == "3.0"
    assert samples["sizes_sum", (SCOPE,)] == "15.0"


def test_counts_from_before_the_shutdown_of_the_provider_are_kept(recording: Telemetry) -> None:
    sdk_provider = provider(recording)
    meter = sdk_provider.get_meter("app")
    counter, sizes = meter.create_counter("jobs"), meter.create_histogram("sizes")
    for before in range(2):
        counter.add(1)
        sizes.record(5)
        if not before:
            assert shown_samples(recording)["jobs_total", (SCOPE,)] == "1.0"
    sdk_provider.shutdown()
    for _ in range(2):
        samples = shown_samples(recording)
        assert samples["jobs_total", (SCOPE,)] == samples["sizes_count", (SCOPE,)] == "2.0"


DEFAULT = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from dualmetrics import configure
from dualmetrics.bridges.sdk import MetricReader
provider = MeterProvider()
metrics.set_meter_provider(provider)
{lines}
metrics.get_meter("app").create_counter("jobs").add(3)
assert 'jobs_total{{otel_scope_name="app"}} 3\\n' in telemetry.render()[1].decode(), telemetry.render()
assert metrics.get_meter_provider() is provider
"""


@pytest.mark.parametrize(
    "lines",
    [
        "provider.add_metric_reader(MetricReader()); telemetry = configure(metrics_exporter='prometheus')",
        "telemetry = configure(metrics_exporter='prometheus'); provider.add_metric_reader(MetricReader())",
    ],
)
def test_a_reader_is_used_by_the_default_telemetry_whichever_is_created_first(
    tmp_path: Path, lines: str
) -> None:
    code = DEFAULT.format(lines=lines)
    environment = {"DUALMETRICS_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
