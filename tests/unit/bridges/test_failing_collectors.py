"""A collector that fails costs its own metrics and one log line, and nothing else."""

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
from tests.unit.bridges.bridged import Custom, metric, pushed, scopes, shown, telemetry
from tests.unit.exporters.otlp.receiver import http_receiver
from tests.waiting import wait_until


class Raising:
    """Raises, at once or after its first metric."""

    def collect(self) -> Iterator[Metric]:
        yield metric("gauge", "before_it_raised", ("", {}, 1.0))
        raise RuntimeError("out of order")


class Hanging:
    """Never comes back, until it is let go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.calls = 0
        self.returned = False

    def collect(self) -> Iterable[Metric]:
        self.calls += 1
        self.free.wait(60)
        self.returned = True
        return [metric("gauge", "late", ("", {}, 1.0))]


def garbage(*metrics: Any) -> Callable[[], Any]:
    return lambda: Custom(*metrics)


GARBAGE: dict[str, Callable[[], Any]] = {
    "nothing": garbage(None),
    "text": garbage("a metric"),
    "value": garbage(metric("gauge", "g", ("", {}, "many"))),  # type: ignore[arg-type]
    "label": garbage(metric("gauge", "g", ("", {"a": 1}, 1.0))),  # type: ignore[dict-item]
    "negative counter": garbage(metric("counter", "g", ("_total", {}, -1.0))),
    "falling buckets": garbage(
        metric("histogram", "g", ("_bucket", {"le": "1"}, 5.0), ("_bucket", {"le": "+Inf"}, 1.0))
    ),
    "bound": garbage(metric("histogram", "g", ("_bucket", {"le": "x"}, 5.0), ("_count", {}, 1.0))),
    "endless bucket": garbage(
        metric("histogram", "g", ("_bucket", {"le": "1"}, 1.0), ("_bucket", {"le": "+Inf"}, float("inf")))
    ),
    "too many": garbage(metric("histogram", "g", ("_bucket", {"le": "+Inf"}, 1e30))),
    "endless summary": garbage(metric("summary", "g", ("_count", {}, float("inf")), ("_sum", {}, 1.0))),
    "unhashable label": garbage(metric("gauge", "g", ("", {"a": []}, 1.0))),  # type: ignore[dict-item]
    "raises": Raising,
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.mark.parametrize("kind", GARBAGE)
def test_one_that_raises_or_gives_garbage_costs_itself_and_one_line(
    tmp_path: Path, registry: CollectorRegistry, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    Counter("first", "", registry=registry).inc()
    registry.register(GARBAGE[kind]())
    Counter("last", "", registry=registry).inc()
    with (
        caplog.at_level(logging.INFO, "dualmetrics"),
        telemetry(tmp_path, registry, metrics_exporter="prometheus") as made,
    ):
        for _ in range(3):
            assert shown(made) == {("first_total", ()): "1.0", ("last_total", ()): "1.0"}
    assert len([line for line in caplog.messages if "collector" in line or "left out" in line]) == 1


@pytest.mark.parametrize("kind", GARBAGE)
def test_one_that_gives_garbage_does_not_stop_the_push(
    tmp_path: Path, registry: CollectorRegistry, kind: str
) -> None:
    registry.register(GARBAGE[kind]())
    Counter("jobs", "", registry=registry).inc()
    assert pushed(tmp_path, registry)["jobs_total"].sum.data_points[0].as_double == 1


def test_odd_texts_and_times_stop_neither_page_nor_push(tmp_path: Path, registry: CollectorRegistry) -> None:
    created = ("_created", {"file": "\ud800"}, 1.7e12)  # in milliseconds, as is often thought
    counter = metric("counter", "c", ("_total", {"file": "\ud800"}, 2.0), created)
    counter.documentation = "\udcff"
    scope = {"otel_scope_name": "lib", "otel_scope_": "x"}
    registry.register(
        Custom(counter, metric("gauge", "g", ("", scope, 1.0)), metric("gauge", "h", ("", {}, 3.0)))
    )
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        assert shown(made)["c_total", (("file", "?"),)] == "2.0"
    with Receiver() as receiver:
        with telemetry(tmp_path, registry, endpoint=receiver.http_endpoint) as made:
            assert made.force_flush()
        names = {found.name for scope in scopes(receiver) for found in scope.metrics}
    assert {"c_total", "g", "h"} <= names


@pytest.mark.parametrize("again", ["record", "flush"])
def test_it_goes_on_after_a_shutdown(tmp_path: Path, registry: CollectorRegistry, again: str) -> None:
    jobs = Counter("jobs", "", registry=registry)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        jobs.inc()
        assert shown(made)["jobs_total", ()] == "1.0"
        made.shutdown()
        jobs.inc()
        if again == "flush":
            made.force_flush()
        assert shown(made)["jobs_total", ()] == "2.0"


def test_it_goes_on_after_a_shutdown_that_did_not_end_in_time(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    jobs = Counter("jobs", "", registry=registry)
    with http_receiver() as received:
        received.hold.clear()
        with telemetry(tmp_path, registry, endpoint=received.endpoint) as made:
            own = made.meter("app").create_counter("own")
            own.add(1)
            assert not made.shutdown(0.2)
            jobs.inc()
            own.add(1)
            shown(made)
            received.hold.set()
            wait_until(lambda: _threads("dualmetrics") == 1, 10, "the last push to end")
            jobs.inc(5)
            assert shown(made)["jobs_total", ()] == "6.0"


def test_what_of_one_makes_sense_is_shown(tmp_path: Path, registry: CollectorRegistry) -> None:
    registry.register(Custom(metric("gauge", "bad", ("", {}, "x")), metric("gauge", "good", ("", {}, 2.0))))  # type: ignore[arg-type]
    with telemetry(tmp_path, registry) as made:
        assert shown(made) == {("good", ()): "2.0"}


def test_one_that_hangs_is_asked_once_and_said_once(
    tmp_path: Path, registry: CollectorRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    hanging = Hanging()
    Counter("first", "", registry=registry).inc()
    registry.register(hanging)
    last = Counter("last", "", registry=registry)
    try:
        with (
            caplog.at_level(logging.INFO, "dualmetrics"),
            telemetry(tmp_path, registry, metrics_exporter="prometheus") as made,
        ):
            for count in range(1, 4):
                last.inc()
                assert shown(made)["last_total", ()] == f"{count}.0"
                assert shown(made)["first_total", ()] == "1.0"
        assert hanging.calls == 1
        assert len([line for line in caplog.messages if "Hanging" in line]) == 1
    finally:
        hanging.free.set()


def test_one_that_comes_back_after_the_end_begins_nothing_anew(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    hanging = Hanging()
    registry.register(hanging)
    with telemetry(tmp_path, registry, metrics_exporter="prometheus") as made:
        assert shown(made) == {}
    uses: list[None] = []
    made._store.on_use = lambda: uses.append(None)
    hanging.free.set()
    wait_until(lambda: hanging.returned, 5, "the collector to return")
    wait_until(lambda: not _reading(), 5, "its reader to end")
    assert uses == []


def test_one_that_comes_back_during_the_last_push_keeps_no_worker_alive(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    hanging = Hanging()
    registry.register(hanging)
    with http_receiver() as received:
        received.hold.clear()
        made = Telemetry(registries=[registry], directory=str(tmp_path), endpoint=received.endpoint)
        made.meter("app").create_counter("c").add(1)
        end = threading.Thread(target=made.shutdown)
        end.start()
        wait_until(lambda: len(received.paths) == 1, 10, "the last push")
        hanging.free.set()
        wait_until(lambda: hanging.returned and not _reading(), 5, "its reader to end")
        received.hold.set()
        end.join()
    assert not made._store.is_recording


def _reading() -> bool:
    return _threads("dualmetrics-observer") > 0


def _threads(name: str) -> int:
    return [thread.name for thread in threading.enumerate()].count(name)


def test_gauges_of_one_that_begins_to_fail_go_and_come_back(
    tmp_path: Path, registry: CollectorRegistry
) -> None:
    custom = Custom(metric("gauge", "g", ("", {}, 2.0)), metric("counter", "c", ("_total", {}, 3.0)))
    registry.register(custom)
    with telemetry(tmp_path, registry) as made:
        whole = shown(made)
        sound, custom.metrics = custom.metrics, (None,)  # type: ignore[assignment]
        assert shown(made) == {("c_total", ()): "3.0"}
        custom.metrics = sound
        assert shown(made) == whole


def test_a_registry_that_hides_its_collectors_is_read_as_one(tmp_path: Path) -> None:
    class Facade:
        def collect(self) -> Iterable[Metric]:
            return [metric("gauge", "g", ("", {}, 2.0))]

    with telemetry(tmp_path, Facade()) as made:
        assert shown(made) == {("g", ()): "2.0"}


@pytest.mark.parametrize("bad", ["all", 3, [3], "default,other"])
def test_what_is_no_registry_is_refused(bad: object) -> None:
    with pytest.raises(SettingsError, match="registries"):
        Telemetry(registries=bad)
