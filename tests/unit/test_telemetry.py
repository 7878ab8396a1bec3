"""A Telemetry as a whole: what its settings switch on and off, what is isolated and what is global."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import SettingsError, Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from tests.programs import run_python


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def page(telemetry: Telemetry) -> str:
    return telemetry.render()[1].decode()


def value(telemetry: Telemetry, series: str) -> float | None:
    """Return the value of a sample on the page, or None if the page does not have it."""
    match = re.search(rf"^{re.escape(series)} (.*)$", page(telemetry), re.MULTILINE)
    return float(match[1]) if match else None


def count(telemetry: Telemetry) -> None:
    telemetry.meter("app").create_counter("hits").add(1)


def test_page_and_push_show_the_same_recording(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", scope_labels="none")
    count(telemetry)
    assert value(telemetry, "hits_total") == 1
    assert telemetry.force_flush()
    assert receiver.one("shop", "hits").value == 1
    assert telemetry.shutdown()


def test_with_prometheus_as_the_only_exporter_nothing_is_pushed(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", endpoint=receiver.http_endpoint, scope_labels="none")
    count(telemetry)
    assert telemetry.force_flush()
    assert telemetry.shutdown()
    assert receiver.requests == []
    assert "nothing is pushed" not in caplog.text


def test_the_console_exporter_prints_json(capfd: pytest.CaptureFixture[str]) -> None:
    telemetry = Telemetry(metrics_exporter="console")
    count(telemetry)
    assert telemetry.force_flush()
    telemetry.shutdown()
    sent, _ = json.JSONDecoder().raw_decode(capfd.readouterr().out)
    names = [
        metric["name"]
        for scope in sent["resource_metrics"][0]["scope_metrics"]
        for metric in scope["metrics"]
    ]
    assert "hits" in names


@pytest.mark.parametrize("settings", [{"metrics_exporter": "none"}, {"sdk_disabled": True}])
def test_everything_is_a_no_op_when_switched_off(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    assert isinstance(telemetry.meter_provider, metrics.NoOpMeterProvider)
    count(telemetry)
    telemetry.observe_once_per_group("queue.depth", lambda options: [])
    telemetry.start()
    assert telemetry.force_flush()
    assert telemetry.shutdown()


def test_an_error_while_the_app_is_built_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    prometheus_client = pytest.importorskip("prometheus_client")
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nowhere")  # prometheus_client refuses this directory
    telemetry = Telemetry(metrics_exporter="prometheus", registries=[prometheus_client.CollectorRegistry()])
    assert telemetry.errors.error_count == 1
    assert not telemetry._components.worker.running
    assert not telemetry._components.store.is_recording


def test_two_telemetries_are_isolated_from_each_other() -> None:
    one, other = (Telemetry(metrics_exporter="prometheus", scope_labels="none") for _ in range(2))
    count(one)
    assert value(one, "hits_total") == 1
    assert value(other, "hits_total") is None
    one.shutdown()
    other.shutdown()


def test_a_label_that_is_not_a_file_name_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"label=.\.\./x"):
        Telemetry(label="../x")


def test_after_a_reset_counting_starts_from_zero() -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", scope_labels="none")
    counter = telemetry.meter("app").create_counter("hits")
    counter.add(5)
    telemetry.reset()
    counter.add(1)
    assert value(telemetry, "hits_total") == 1
    telemetry.shutdown()


def test_recording_after_a_shutdown_adds_to_the_total_and_is_pushed(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.grpc_endpoint, protocol="grpc", service_name="shop")
    counter = telemetry.meter("app").create_counter("hits")
    counter.add(1)
    assert telemetry.shutdown()
    assert telemetry.shutdown()
    counter.add(1)
    assert telemetry.shutdown()
    assert receiver.one("shop", "hits").value == 2


def test_a_telemetry_that_was_shut_down_and_deleted_leaves_no_descriptor_open(tmp_path: Path) -> None:
    def use_and_delete() -> None:
        telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
        count(telemetry)
        assert telemetry.shutdown()

    def open_descriptors_after(times: int) -> int:
        for _ in range(times):
            use_and_delete()
        gc.collect()
        return sum(
            name.endswith("admitted") for name in map(os.path.realpath, Path("/proc/self/fd").iterdir())
        )

    assert open_descriptors_after(10) == open_descriptors_after(1)


def test_group_observations_are_on_the_page_and_in_the_push(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", scope_labels="none")

    def depth(options: CallbackOptions) -> list[Observation]:
        return [Observation(7, {"queue": "mail"})]

    telemetry.observe_once_per_group("queue.depth", depth, unit="{job}", description="Waiting jobs.")
    assert value(telemetry, 'queue_depth{queue="mail"}') == 7
    assert telemetry.shutdown()
    assert receiver.one("shop", "queue.depth", (("queue", "mail"),)).value == 7


def test_the_librarys_own_metrics_are_on_the_page_and_in_the_push(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", cardinality_limit=2)
    counter = telemetry.meter("app").create_counter("hits")
    for number in range(3):  # our own metrics have two sets at most, the results of pushes
        counter.add(1, {"a": str(number)})
    counter.add(-1)
    assert telemetry.force_flush()
    page(telemetry)
    assert value(telemetry, 'dualmetrics_exports_total{result="success"}') == 1
    assert value(telemetry, 'dualmetrics_overflows_total{metric="hits"}') == 1
    assert value(telemetry, "dualmetrics_internal_errors_total") == 1
    assert value(telemetry, 'dualmetrics_series{metric="hits"}') == 3
    assert value(telemetry, "dualmetrics_workers") == 1
    for name in ("dualmetrics_points_exported_total", "dualmetrics_last_export_timestamp_seconds"):
        assert (value(telemetry, name) or 0) > 0
    assert telemetry.force_flush()
    received = {name for _, name, *_ in receiver.series()}
    assert {"dualmetrics.exports", "dualmetrics.overflows", "dualmetrics.workers"} <= received
    assert telemetry.shutdown()


def test_the_next_scrape_shows_how_the_last_one_went() -> None:
    from dualmetrics.scrape.messages import ScrapeRequest

    telemetry = Telemetry(metrics_exporter="prometheus")
    request = ScrapeRequest("GET", {}, "", "127.0.0.1")
    assert telemetry.page.respond(request).status == 200
    assert value(telemetry, 'dualmetrics_scrapes_total{result="success"}') == 1
    assert value(telemetry, "dualmetrics_scrape_duration_seconds_count") == 1
    telemetry.shutdown()


def test_failed_pushes_are_logged_once_and_so_is_the_recovery(caplog: pytest.LogCaptureFixture) -> None:
    with Receiver() as receiver:
        port = int(receiver.http_endpoint.rpartition(":")[2])
    telemetry = Telemetry(endpoint=f"http://127.0.0.1:{port}", service_name="shop", timeout=0.5)
    count(telemetry)
    with caplog.at_level(logging.INFO, "dualmetrics"):
        assert not telemetry.force_flush(30)
        assert not telemetry.force_flush(30)
        assert caplog.text.count("failed") == 1
        with Receiver(http_port=port) as receiver:
            assert telemetry.force_flush(30)
            assert telemetry.force_flush(30)
            assert caplog.text.count("works again") == 1
            assert receiver.one("shop", "hits").value == 1
            assert telemetry.shutdown()


def run(code: str, **env: str) -> str:
    """Run a program, since globals can be set only once in a process. Returns its output and its log."""
    finished = run_python(code, OTEL_METRICS_EXPORTER="prometheus", **env)
    return finished.stdout + finished.stderr


def test_configure_returns_one_object_and_refuses_other_settings() -> None:
    code = """
from dualmetrics import SettingsError, configure
first = configure(namespace="shop")
assert configure() is first
assert configure(namespace="shop") is first
try:
    configure(namespace="other")
except SettingsError as error:
    print(error)
"""
    output = run(code)
    assert "namespace: 'shop', 'other'" in output
    assert "pass telemetry=Telemetry(namespace=...)" in output


def test_instruments_made_before_configure_record_from_then_on() -> None:
    code = """
from opentelemetry import metrics
counter = metrics.get_meter("early").create_counter("hits")
counter.add(1)
from dualmetrics import configure
telemetry = configure(scope_labels="none")
counter.add(2)
print(telemetry.render()[1].decode())
"""
    assert "hits_total 2\n" in run(code)


def test_a_meter_provider_that_was_set_before_stays_and_a_warning_is_logged() -> None:
    code = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
metrics.set_meter_provider(MeterProvider())
from dualmetrics import configure
telemetry = configure()
assert metrics.get_meter_provider() is not telemetry.meter_provider
"""
    assert "another OpenTelemetry meter provider was set before" in run(code)


def test_the_entry_point_sets_the_global_meter_provider() -> None:
    code = """
from opentelemetry import metrics
counter = metrics.get_meter("app").create_counter("hits")
counter.add(3)
from dualmetrics import configure
print(configure().render()[1].decode())
"""
    output = run(code, OTEL_PYTHON_METER_PROVIDER="dualmetrics", DUALMETRICS_SCOPE_LABELS="none")
    assert "hits_total 3\n" in output
    assert "Overriding" not in output
