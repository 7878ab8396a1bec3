"""A collector that fails loses its own metrics, with one log line, and affects nothing else."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Metric

from dualmetrics import SettingsError, Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from tests.unit.bridges.bridged import (
    FixedCollector,
    make_metric,
    push_registry,
    received_scopes,
    shown_samples,
    telemetry,
)
from tests.unit.exporters.otlp.receiver import http_receiver
from tests.waiting import wait_until


class RaisingCollector:
    """Raises after its first metric."""

    def collect(self) -> Iterator[Metric]:
        yield make_metric("gauge", "before_it_raised", ("", {}, 1.0))
        raise RuntimeError("out of order")


class HangingCollector:
    """Does not return until ``free`` is set."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.calls = 0
        self.returned = False

    def collect(self) -> Iterable[Metric]:
        self.calls += 1
        self.free.wait(60)
        self.returned = True
        return [make_metric("gauge", "late", ("", {}, 1.0))]


def invalid(*metrics: Any) -> Callable[[], Any]:
    return lambda: FixedCollector(*metrics)


INVALID: dict[str, Callable[[], Any]] = {
    "nothing": invalid(None),
    "text": invalid("a metric"),
    "value": invalid(make_metric("gauge", "g", ("", {}, "many"))),
    "label": invalid(make_metric("gauge", "g", ("", {"a": 1}, 1.0))),
    "negative counter": invalid(make_metric("counter", "g", ("_total", {}, -1.0))),
    "falling buckets": invalid(
        make_metric("histogram", "g", ("_bucket", {"le": "1"}, 5.0), ("_bucket", {"le": "+Inf"}, 1.0))
    ),
    "bound": invalid(make_metric("histogram", "g", ("_bucket", {"le": "x"}, 5.0), ("_count", {}, 1.0))),
    "endless bucket": invalid(
        make_metric(
            "histogram", "g", ("_bucket", {"le": "1"}, 1.0), ("_bucket", {"le": "+Inf"}, float("inf"))
        )
    ),
    "too many": invalid(make_metric("histogram", "g", ("_bucket", {"le": "+Inf"}, 1e30))),
    "endless summary": invalid(make_metric("summary", "g", ("_count", {}, float("inf")), ("_sum", {}, 1.0))),
    "unhashable label": invalid(make_metric("gauge", "g", ("", {"a": []}, 1.0))),
    "raises": RaisingCollector,
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.mark.parametrize("kind", INVALID)
def test_a_collector_that_raises_or_is_invalid_loses_only_its_own_metrics(
    tmp_path: Path, registry: CollectorRegistry, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    Counter("first", "", registry=registry).inc()
    registry.register(INVALID[kind]())
    Counter("last", "", registry=registry).inc()
    with (
        caplog.at_level(logging.INFO, "dualmetrics"),
        telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording,
    ):
        for _ in range(3):
            assert shown_samples(recording) == {("first_total", ()): "1.0", ("last_total", ()): "1.0"}
    assert len([line for line in caplog.messages if "collector" in line or "left out" in line]) == 1


@pytest.mark.parametrize("kind", INVALID)
def test_an_invalid_collector_does_not_stop_the_push(
    tmp_path: Path, registry: CollectorRegistry, kind: str
) -> None:
    registry.register(INVALID[kind]())
    Counter("jobs", "", registry=registry).inc()
    assert push_registry(tmp_path, registry)["jobs_total"].sum.data_points[0].as_double == 1


def test_invalid_texts_and_times_stop_neither_page_nor_push(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    created = ("_created", {"file": "\ud800"}, 1.7e12)  # milliseconds, a common mistake
    counter = make_metric("counter", "c", ("_total", {"file": "\ud800"}, 2.0), created)
    counter.documentation = "\udcff"
    scope = {"otel_scope_name": "lib", "otel_scope_": "x"}
    registry.register(
        FixedCollector(
            counter, make_metric("gauge", "g", ("", scope, 1.0)), make_metric("gauge", "h", ("", {}, 3.0))
        )
    )
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        assert shown_samples(recording)["c_total", (("file", "?"),)] == "2.0"
    with Receiver() as receiver:
        with telemetry(tmp_path, registry, endpoint=receiver.http_endpoint) as recording:
            assert recording.force_flush()
        names = {metric.name for scope in received_scopes(receiver) for metric in scope.metrics}
    assert {"c_total", "g", "h"} <= names


@pytest.mark.parametrize("again", ["record", "flush"])
def test_importing_continues_after_a_shutdown(
    tmp_path: Path, registry: CollectorRegistry, again: str
) -> None:
    jobs = Counter("jobs", "", registry=registry)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        jobs.inc()
        assert shown_samples(recording)["jobs_total", ()] == "1.0"
        recording.shutdown()
        jobs.inc()
        if again == "flush":
            recording.force_flush()
        assert shown_samples(recording)["jobs_total", ()] == "2.0"


def test_importing_continues_after_a_shutdown_that_timed_out(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    jobs = Counter("jobs", "", registry=registry)
    others = _thread_count("dualmetrics")  # of what other tests have configured
    with http_receiver() as received:
        received.hold.clear()
        with telemetry(tmp_path, registry, endpoint=received.endpoint) as recording:
            own = recording.meter("app").create_counter("own")
            own.add(1)
            assert not recording.shutdown(0.2)
            jobs.inc()
            own.add(1)
            shown_samples(recording)
            received.hold.set()
            wait_until(lambda: _thread_count("dualmetrics") == others + 1, 10, "the last push to end")
            jobs.inc(5)
            assert shown_samples(recording)["jobs_total", ()] == "6.0"


def test_the_valid_metrics_of_an_invalid_collector_are_shown(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    bad, good = make_metric("gauge", "bad", ("", {}, "x")), make_metric("gauge", "good", ("", {}, 2.0))
    registry.register(FixedCollector(bad, good))
    with telemetry(tmp_path, registry) as recording:
        assert shown_samples(recording) == {("good", ()): "2.0"}


def test_a_collector_that_hangs_is_read_once_and_logged_once(
    tmp_path: Path, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = HangingCollector()
    Counter("first", "", registry=registry).inc()
    registry.register(hanging)
    last = Counter("last", "", registry=registry)
    try:
        with (
            caplog.at_level(logging.INFO, "dualmetrics"),
            telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording,
        ):
            for count in range(1, 4):
                last.inc()
                assert shown_samples(recording)["last_total", ()] == f"{count}.0"
                assert shown_samples(recording)["first_total", ()] == "1.0"
        assert hanging.calls == 1
        assert len([line for line in caplog.messages if "Hanging" in line]) == 1
    finally:
        hanging.free.set()


def test_a_collector_that_returns_after_the_shutdown_does_not_start_recording_again(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    hanging = HangingCollector()
    registry.register(hanging)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as recording:
        assert shown_samples(recording) == {}
    uses: list[None] = []
    recording._components.store.on_use = lambda: uses.append(None)
    hanging.free.set()
    wait_until(lambda: hanging.returned, 5, "the collector to return")
    wait_until(lambda: not _is_reading(), 5, "its reader to end")
    assert uses == []


def test_a_collector_that_returns_during_the_last_push_keeps_no_worker_alive(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    hanging = HangingCollector()
    registry.register(hanging)
    with http_receiver() as received:
        received.hold.clear()
        recording = Telemetry(registries=[registry], directory=str(tmp_path), endpoint=received.endpoint)
        recording.meter("app").create_counter("c").add(1)
        end = threading.Thread(target=recording.shutdown)
        end.start()
        wait_until(lambda: len(received.paths) == 1, 10, "the last push")
        hanging.free.set()
        wait_until(lambda: hanging.returned and not _is_reading(), 5, "its reader to end")
        received.hold.set()
        end.join()
    assert not recording._components.store.is_recording


def _is_reading() -> bool:
    return _thread_count("dualmetrics-observer") > 0


def _thread_count(name: str) -> int:
    return [thread.name for thread in threading.enumerate()].count(name)


def test_gauges_disappear_while_their_collector_fails(tmp_path: Path, registry: CollectorRegistry) -> None:
    custom = FixedCollector(
        make_metric("gauge", "g", ("", {}, 2.0)), make_metric("counter", "c", ("_total", {}, 3.0))
    )
    registry.register(custom)
    with telemetry(tmp_path, registry) as recording:
        whole = shown_samples(recording)
        valid, custom.metrics = custom.metrics, (None,)  # type: ignore[assignment]
        assert shown_samples(recording) == {("c_total", ()): "3.0"}
        custom.metrics = valid
        assert shown_samples(recording) == whole


def test_a_registry_that_does_not_list_its_collectors_is_read_as_one_collector(tmp_path: Path) -> None:
    class Facade:
        def collect(self) -> Iterable[Metric]:
            return [make_metric("gauge", "g", ("", {}, 2.0))]

    with telemetry(tmp_path, Facade()) as recording:
        assert shown_samples(recording) == {("g", ()): "2.0"}


def test_a_registry_still_lists_its_collectors_only_in_a_private_attribute() -> None:
    """If this fails, look at `registry._registered_collectors`.

    Either the attribute is gone, so that one failing collector hides the rest of its registry, or there is
    a new public name, which may list the collectors.
    """
    registry = CollectorRegistry()
    counter = Counter("jobs", "", registry=registry)
    assert list(registry._collector_to_names) == [counter]
    assert {name for name in dir(registry) if not name.startswith("_")} == {
        "collect",
        "get_sample_value",
        "get_target_info",
        "register",
        "restricted_registry",
        "set_target_info",
        "unregister",
    }


@pytest.mark.parametrize("bad", ["all", 3, [3], "default,other"])
def test_an_object_that_is_no_registry_is_refused(bad: object) -> None:
    with pytest.raises(SettingsError, match="registries"):
        Telemetry(registries=bad)
