"""The wiring: what each setting switches, what is global and what is isolated."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import SettingsError, Telemetry
from dualmetrics.cli.otlp_receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def page(telemetry: Telemetry) -> str:
    return telemetry.render()[1].decode()


def value(telemetry: Telemetry, series: str) -> float | None:
    """The value of a sample on the page; None if it is not there."""
    found = re.search(rf"^{re.escape(series)} (.*)$", page(telemetry), re.MULTILINE)
    return float(found[1]) if found else None


def count(telemetry: Telemetry) -> None:
    telemetry.meter("app").create_counter("hits").add(1)


def test_both_exports_carry_the_same_from_one_recording(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", scope_labels="none")
    count(telemetry)
    assert value(telemetry, "hits_total") == 1
    assert telemetry.force_flush()
    assert receiver.one("shop", "hits").value == 1
    assert telemetry.shutdown()


def test_prometheus_alone_pushes_nothing(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", endpoint=receiver.http_endpoint, scope_labels="none")
    count(telemetry)
    assert telemetry.force_flush()
    assert telemetry.shutdown()
    assert receiver.requests == []
    assert "nothing is pushed" not in caplog.text


def test_the_console_gets_json(capfd: pytest.CaptureFixture[str]) -> None:
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
def test_switched_off_everything_is_a_no_op(settings: dict[str, Any]) -> None:
    telemetry = Telemetry(**settings)
    assert isinstance(telemetry.meter_provider, metrics.NoOpMeterProvider)
    count(telemetry)
    telemetry.observe_once_per_group("queue.depth", lambda options: [])
    telemetry.start()
    assert telemetry.force_flush()
    assert telemetry.shutdown()


def test_two_are_isolated_from_each_other() -> None:
    one, other = (Telemetry(metrics_exporter="prometheus", scope_labels="none") for _ in range(2))
    count(one)
    assert value(one, "hits_total") == 1
    assert value(other, "hits_total") is None
    one.shutdown()
    other.shutdown()


def test_a_label_that_is_no_file_name_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"label=.\.\./x"):
        Telemetry(label="../x")


def test_after_a_reset_counting_begins_anew() -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", scope_labels="none")
    counter = telemetry.meter("app").create_counter("hits")
    counter.add(5)
    telemetry.reset()
    counter.add(1)
    assert value(telemetry, "hits_total") == 1
    telemetry.shutdown()


def test_recording_after_a_shutdown_counts_on_and_is_pushed(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.grpc_endpoint, protocol="grpc", service_name="shop")
    counter = telemetry.meter("app").create_counter("hits")
    counter.add(1)
    assert telemetry.shutdown()
    assert telemetry.shutdown()
    counter.add(1)
    assert telemetry.shutdown()
    assert receiver.one("shop", "hits").value == 2


def test_one_that_was_shut_down_and_forgotten_leaves_no_descriptor_open(tmp_path: Path) -> None:
    def live() -> None:
        telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
        count(telemetry)
        assert telemetry.shutdown()

    def open_after(lives: int) -> int:
        for _ in range(lives):
            live()
        gc.collect()
        return sum(
            name.endswith("admitted") for name in map(os.path.realpath, Path("/proc/self/fd").iterdir())
        )

    assert open_after(10) == open_after(1)


def test_what_holds_for_the_group_is_observed_for_page_and_push(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", scope_labels="none")

    def depth(options: CallbackOptions) -> list[Observation]:
        return [Observation(7, {"queue": "mail"})]

    telemetry.observe_once_per_group("queue.depth", depth, unit="{job}", description="Jobs that wait.")
    assert value(telemetry, 'queue_depth{queue="mail"}') == 7
    assert telemetry.shutdown()
    assert receiver.one("shop", "queue.depth", (("queue", "mail"),)).value == 7


def test_its_own_health_is_on_both_ways(receiver: Receiver) -> None:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", cardinality_limit=1)
    counter = telemetry.meter("app").create_counter("hits")
    counter.add(1, {"a": "1"})
    counter.add(1, {"a": "2"})
    counter.add(-1)
    assert telemetry.force_flush()
    page(telemetry)
    assert value(telemetry, 'dualmetrics_exports_total{result="success"}') == 1
    assert value(telemetry, 'dualmetrics_overflows_total{metric="hits"}') == 1
    assert value(telemetry, "dualmetrics_internal_errors_total") == 1
    assert value(telemetry, 'dualmetrics_series{metric="hits"}') == 2
    assert value(telemetry, "dualmetrics_workers") == 1
    for name in ("dualmetrics_points_exported_total", "dualmetrics_last_export_timestamp_seconds"):
        assert (value(telemetry, name) or 0) > 0
    assert telemetry.force_flush()
    received = {name for _, name, *_ in receiver.series()}
    assert {"dualmetrics.exports", "dualmetrics.overflows", "dualmetrics.workers"} <= received
    assert telemetry.shutdown()


def test_a_scrape_is_counted_and_shown_by_the_next_one() -> None:
    from dualmetrics.scrape.messages import ScrapeRequest

    telemetry = Telemetry(metrics_exporter="prometheus")
    request = ScrapeRequest("GET", {}, "", "127.0.0.1")
    assert telemetry.page.respond(request).status == 200
    assert value(telemetry, 'dualmetrics_scrapes_total{result="success"}') == 1
    assert value(telemetry, "dualmetrics_scrape_duration_seconds_count") == 1
    telemetry.shutdown()


def test_a_push_that_fails_is_said_once_and_its_recovery_too(caplog: pytest.LogCaptureFixture) -> None:
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
    """A program of its own, since what is global can be set once a process."""
    import os

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "OTEL_METRICS_EXPORTER": "prometheus", **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_configure_gives_one_object_and_refuses_to_change_it() -> None:
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
    said = run(code)
    assert "namespace" in said
    assert "'shop'" in said
    assert "'other'" in said


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


def test_a_provider_that_was_set_before_stays_and_is_named() -> None:
    code = """
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
metrics.set_meter_provider(MeterProvider())
from dualmetrics import configure
telemetry = configure()
assert metrics.get_meter_provider() is not telemetry.meter_provider
"""
    assert "another OpenTelemetry meter provider was set before" in run(code)


def test_the_entry_point_makes_it_opentelemetrys_provider() -> None:
    code = """
from opentelemetry import metrics
counter = metrics.get_meter("app").create_counter("hits")
counter.add(3)
from dualmetrics import configure
print(configure().render()[1].decode())
"""
    said = run(code, OTEL_PYTHON_METER_PROVIDER="dualmetrics", DUALMETRICS_SCOPE_LABELS="none")
    assert "hits_total 3\n" in said
    assert "Overriding" not in said
