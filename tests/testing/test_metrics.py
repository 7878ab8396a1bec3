"""The fixture ``metrics`` of the pytest plugin: names, labels, sums, changes, and what isolates a test."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.testing import Metrics, isolated
from tests.forking import run_in_child
from tests.ports import free_port


@pytest.fixture
def telemetry(metrics: Metrics) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", scope_labels="none")
    yield telemetry
    telemetry.shutdown()


def test_a_metric_has_its_name_on_the_page_and_its_name_in_a_push(
    metrics: Metrics, telemetry: Telemetry
) -> None:
    telemetry.meter("shop").create_counter("shop.sent", "By").add(7, {"to.country": "PE", "fragile": True})
    own = metrics.of(telemetry)
    assert own.value("shop_sent_bytes_total") == own.value("shop.sent") == 7
    assert own.value("shop.sent", to_country="PE", fragile=True) == 7
    assert own.value("shop.sent", **{"to.country": "PE"}) == 7
    assert own.value("shop.sent", to_country="BO") == 0
    assert own.value("shop.sent", colour=None) == 7
    assert own.value("shop.sent", to_country=None) == 0


def test_the_names_are_those_of_the_settings(metrics: Metrics) -> None:
    telemetry = Telemetry(
        metrics_exporter="prometheus",
        namespace="eu",
        const_labels={"zone": "a"},
        translation_strategy="no_utf8_escaping_with_suffixes",
    )
    telemetry.meter("shop").create_counter("orders.taken").add(1, {"to.country": 'a "b"\\\n'})
    own = metrics.of(telemetry)
    assert own.value("orders.taken", to_country='a "b"\\\n', zone="a", otel_scope_name="shop") == 1
    assert own.value("eu_orders_taken_total", **{"to.country": 'a "b"\\\n'}) == 1


def test_the_name_of_a_histogram_means_its_count(metrics: Metrics, telemetry: Telemetry) -> None:
    wait = telemetry.meter("shop").create_histogram(
        "wait", "s", explicit_bucket_boundaries_advisory=[0.5, 1, 2]
    )
    for seconds in (0.25, 0.75, 4):
        wait.record(seconds, {"queue": "mail"})
    own = metrics.of(telemetry)
    assert own.value("wait") == own.value("wait_seconds") == own.value("wait_seconds_count") == 3
    assert own.value("wait_seconds_sum", queue="mail") == 5
    assert own.value("wait_seconds_bucket", le=1) == own.value("wait_seconds_bucket", le="1.0") == 2
    assert own.value("wait_seconds_bucket", le="+Inf") == 3
    with pytest.raises(LookupError, match="has no sum"):
        own.value("wait_seconds_bucket")


def test_gauges_are_not_added_up(metrics: Metrics, telemetry: Telemetry) -> None:
    gauge = telemetry.meter("shop").create_gauge("temperature")
    gauge.set(20, {"room": "a"})
    assert metrics.of(telemetry).value("temperature") == 20
    gauge.set(30, {"room": "b"})
    assert metrics.of(telemetry).value("temperature", room="b") == 30
    with pytest.raises(LookupError, match=r'(?s)temperature has no sum.*room="a".*room="b"'):
        metrics.of(telemetry).value("temperature")


def test_a_metric_that_nobody_has_created_is_no_zero(metrics: Metrics, telemetry: Telemetry) -> None:
    telemetry.meter("shop").create_counter("orders")
    own = metrics.of(telemetry)
    assert own.value("orders") == own.value("http_requests_total") == 0, "created, but not recorded yet"
    with pytest.raises(LookupError, match=r"'http_request_total': did you mean http_requests_total"):
        own.value("http_request_total")
    with pytest.raises(LookupError, match="orders_totl"), own.delta("orders_totl"):
        pass


def test_a_change_is_measured_also_of_a_metric_that_the_block_creates(
    metrics: Metrics, telemetry: Telemetry
) -> None:
    with metrics.of(telemetry).delta("orders", kind="book") as delta:
        orders = telemetry.meter("shop").create_counter("orders")
        orders.add(2, {"kind": "book"})
        assert delta.value == 2
        orders.add(5, {"kind": "pen"})
    orders.add(1, {"kind": "book"})
    assert delta.value == 2
    with metrics.of(telemetry).delta("orders") as delta:
        orders.add(1, {"kind": "book"})
    assert delta.value == 1


def test_what_children_count_is_included(metrics: Metrics, telemetry: Telemetry) -> None:
    jobs = telemetry.meter("shop").create_counter("jobs")
    jobs.add(1)
    run_in_child(lambda: jobs.add(2))
    assert metrics.of(telemetry).value("jobs") == 3


def observe(options: CallbackOptions) -> list[Observation]:
    return [Observation(7)]


@pytest.mark.parametrize("attempt", [1, 2])
def test_observations_for_the_group_are_included(
    attempt: int, metrics: Metrics, telemetry: Telemetry
) -> None:
    telemetry.observe_once_per_group("queue.depth", observe)
    assert metrics.of(telemetry).value("queue.depth") == 7, f"{attempt=}"


def test_what_a_bridged_registry_has_counted_before_is_left_out(metrics: Metrics) -> None:
    prometheus_client = pytest.importorskip("prometheus_client")
    registry = prometheus_client.CollectorRegistry()
    jobs = prometheus_client.Counter("jobs", "", registry=registry)
    telemetry = Telemetry(metrics_exporter="prometheus", registries=[registry])
    jobs.inc(5)
    metrics.of(telemetry).reset()
    jobs.inc()
    assert metrics.of(telemetry).value("jobs_total") == 1


def test_nothing_is_pushed_and_no_port_is_opened_unless_the_test_asks_for_it(metrics: Metrics) -> None:
    port = free_port()
    with Receiver() as receiver:
        telemetry = Telemetry(
            endpoint=receiver.http_endpoint,
            export_interval=1,
            prometheus_port=port,
            prometheus_host="127.0.0.1",
        )
        telemetry.meter("shop").create_counter("jobs").add(1)
        telemetry.start()
        assert metrics.of(telemetry).value("jobs") == 1
        assert not telemetry._components.worker.running
        telemetry._components.lifecycle.at_exit()
        assert receiver.requests == []
        assert telemetry.force_flush()
        assert {name for _, name, *_ in receiver.series()} >= {"jobs"}
        telemetry.shutdown()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0


def test_without_an_app_the_fixture_says_what_to_do(
    metrics: Metrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dualmetrics.default_telemetry._default", None)
    with pytest.raises(LookupError, match=r"build the app first.*metrics\.of"):
        metrics.value("http_requests_total")
    with pytest.raises(LookupError, match="OTEL_SDK_DISABLED"):
        metrics.of(Telemetry(sdk_disabled=True)).value("http_requests_total")


def test_other_processes_of_a_shared_directory_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUALMETRICS_DIR", str(tmp_path))
    telemetry = Telemetry(label="shared", metrics_exporter="prometheus", scope_labels="none")
    jobs = telemetry.meter("shop").create_counter("jobs")
    run_in_child(lambda: jobs.add(5))
    jobs.add(1)
    with isolated() as metrics:
        assert "DUALMETRICS_DIR" not in os.environ
        jobs.add(1)
        assert metrics.of(telemetry).value("jobs") == 1
    assert os.environ["DUALMETRICS_DIR"] == str(tmp_path)
    assert b"jobs_total 6\n" in telemetry.render()[1]
    telemetry.shutdown()
