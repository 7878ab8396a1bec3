"""The OpenTelemetry Collector with the configuration of an experiment: both of its exporters at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.cli.commands import http_endpoint, receiving
from tests.collectors import Collector, collector, init, pushing, validate
from tests.conformance.collector_page import app_families, page_families
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]


@pytest.fixture(scope="module")
def vendor() -> Iterator[Receiver]:
    """What stands in for the vendor."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, vendor: Receiver) -> Iterator[Collector]:
    """A Collector for all tests of this module, which must log no warning."""
    folder = tmp_path_factory.mktemp("collector")
    with collector(folder, init(folder), vendor.http_endpoint) as started:
        yield started
        assert started.problems() == []


def wait_for_service(running: Collector, service: str, accept: str = "text/plain") -> str:
    """Return the Collector's page once it has the series of a service."""
    wait_until(lambda: f'job="{service}"' in running.page(accept), 20, service, details=running.log.read_text)
    return running.page(accept)


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    validate(init(tmp_path))


def test_both_exporters_work_at_once_and_the_vendor_sees_the_key(tmp_path: Path) -> None:
    with (
        receiving("--header-values") as command,
        collector(tmp_path, init(tmp_path), http_endpoint(command)) as running,
    ):
        telemetry = pushing(running.http, "both")
        telemetry.meter("shop").create_counter("orders").add(3)
        assert telemetry.shutdown()
        page = wait_for_service(running, "both")
        command.wait_for(r"both  orders  counter  3")
        assert "api-key=s3cret" in command.output
        command.wait_for(r'""  system\.cpu\.time')
        wait_until(lambda: "collector_system_cpu_time_seconds_total" in running.page(), 20, "host metrics")
        assert running.problems() == []
    [line] = (line for line in page.splitlines() if line.startswith("collector_orders_total{"))
    for label in ('experiment="shop"', 'pipeline="collector"', 'variant="baseline"'):
        assert label in line


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_page_of_the_collector_is_ours(running: Collector, protocol: str, temporality: str) -> None:
    service = f"page-{protocol[:4]}-{temporality}"
    endpoint = running.endpoint(protocol)
    settings = {"protocol": protocol, "temporality": temporality, "pipeline": "checkout"}
    telemetry = pushing(endpoint, service, **settings)
    meter = telemetry.meter("shop", "1.0")
    orders = meter.create_counter("orders", "{order}", "Orders.")
    orders.add(3, {"über": "x", "http.route": "/{id}", "paid": True})
    meter.create_up_down_counter("queue").add(-2)
    meter.create_gauge("fill", "1", "How full.").set(0.5)
    meter.create_histogram("took", "s", explicit_bucket_boundaries_advisory=[0.1, 1, 10]).record(0.3)
    telemetry.force_flush()
    _, page = telemetry.render()
    telemetry.shutdown()
    assert page_families(wait_for_service(running, service), service) == app_families(page.decode())


def test_deltas_lose_nothing_after_an_idle_interval(running: Collector) -> None:
    telemetry = pushing(running.http, "idle", temporality="delta")
    orders = telemetry.meter("shop").create_counter("sales")
    for amount in (60, 0, 0, 40):
        orders.add(amount)
        assert telemetry.force_flush()
    _, page = telemetry.render()
    telemetry.shutdown()
    ours = app_families(page.decode())["sales"]
    assert [value for _, value in ours.samples] == [100]
    wait_until(
        lambda: page_families(running.page(), "idle").get("sales") == ours,
        20,
        "the total",
        details=running.page,
    )


def test_a_metric_with_an_attribute_named_as_our_labels_is_not_lost(running: Collector) -> None:
    telemetry = pushing(running.http, "same-names", pipeline="checkout")
    telemetry.meter("shop").create_counter("builds").add(1, {"pipeline": "nightly"})
    telemetry.shutdown()
    page = wait_for_service(running, "same-names")
    [line] = (line for line in page.splitlines() if line.startswith("collector_builds_total{"))
    assert 'pipeline="nightly"' in line
