"""What others measured in an app, in real databases: every series of docs/bridges.md, scraped and pushed."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager as Context
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests import backends
from tests.conformance import scrape_and_push
from tests.servers.server import Server, gunicorn, total
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

PROCESSES = 5
"""Four workers, one of which is ended and comes back."""

SENT = 200
MOVING = "process_.*|python_gc_.*"
"""Of processes: never the same twice."""

PAGE_ONLY = "queue_.*"
"""Gauge histograms, which OpenTelemetry's rules leave out of OTLP."""

STILL = scrape_and_push.site(f"{MOVING}|{PAGE_ONLY}")
Version = Callable[..., Context[backends.Database]]
versions = pytest.mark.parametrize("version", [backends.prometheus, backends.prometheus3])


def workers(folder: Path, **env: str) -> Context[Server]:
    return gunicorn("gunicorn-foreign", folder, workers=4, DUALMETRICS_RETAIN="shop.carts", **env)


def series(name: str, **labels: str) -> backends.Labels:
    return frozenset({"__name__": name, **labels}.items())


TABLE = {
    series("jobs_total", where="request"): SENT,
    series("sent_bytes_total"): 2 * sum(range(100)) / 8,
    series("latency_seconds_bucket", route="/", le="0.5"): SENT / 4,
    series("latency_seconds_bucket", route="/", le="1.0"): SENT / 2,
    series("latency_seconds_bucket", route="/", le="2.5"): SENT * 3 / 4,
    series("latency_seconds_bucket", route="/", le="inf"): SENT,
    series("latency_seconds_sum", route="/"): SENT * 1.5,
    series("latency_seconds_count", route="/"): SENT,
    series("sumless_bucket", le="1.0"): 2 * PROCESSES,
    series("sumless_bucket", le="inf"): 3 * PROCESSES,
    series("sumless_count"): 3 * PROCESSES,
    series("waits_sum"): SENT / 2,
    series("waits_count"): SENT,
    series("size", quantile="0.5"): 3,
    series("size", quantile="0.99"): 8.25,
    series("size_sum"): 10 * PROCESSES,
    series("size_count"): 4 * PROCESSES,
    series("level", tank="north"): 24.75,
    series("speed_bytes_per_second"): 99.5,
    series("build_info", version="1.2", commit='a"b'): 1,
    series("phase", phase="idle"): 0,
    series("phase", phase="busy"): 1,
    series("mystery", a="b"): 7,
    series("scoped", a="b"): 1.5,
    series("shop_orders_total", paid="true", route_name="/"): SENT / 2,
    series("shop_orders_total", paid="false", route_name="/"): SENT / 2,
    series("shop_carts"): 64,
    series("shop_heat_celsius"): 21.5,
    series("shop_took_seconds_bucket", le="0.5"): 10,
    series("shop_took_seconds_bucket", le="1.0"): 18,
    series("shop_took_seconds_bucket", le="inf"): SENT,
    series("shop_took_seconds_sum"): 2 * sum(range(100)) / 8,
    series("shop_took_seconds_count"): SENT,
    series("shop_reads_total", disk="a"): 5 * PROCESSES,
}
"""What the app's page and its push are, as Prometheus names it (tests/servers/foreign_app.py)."""


def serve(server: Server) -> None:
    """Make the table's numbers. A worker that has answered nothing yet is not among those that are seen."""
    assert scrape_and_push.under_load(server, signal.SIGTERM) == SENT
    wait_until(lambda: total(server.page(), "dualmetrics_workers") == 4, 20, "all workers to answer")


NOT_IN_OPENMETRICS = {series("sumless_count")}
"""What Prometheus does not get, which asks for OpenMetrics: that has no count without a sum."""


def of_table(found: scrape_and_push.Series) -> scrape_and_push.Series:
    """The series of the names of the table: all there are but our own and those of Python itself."""
    names = {dict(labels)["__name__"] for labels in TABLE}
    return {labels: value for labels, value in found.items() if dict(labels)["__name__"] in names}


@pytest.mark.parametrize(
    "way",
    [pytest.param(scrape_and_push.directly, marks=backends.takes_long), scrape_and_push.through_an_agent],
)
def test_victoria_metrics_has_every_bridged_series_by_both_ways(
    way: scrape_and_push.Way, tmp_path: Path
) -> None:
    with scrape_and_push.scraped_and_pushed(workers, tmp_path, way) as (server, database):
        serve(server)
        scrape_and_push.agreed(server, database, SENT, STILL)
        wait_until(
            lambda: shown(database) == [TABLE, TABLE], 20, "the table", details=lambda: shown(database)
        )
        moving, page_only = (
            [{*found} for found in scrape_and_push.by_way(database.query(f'{{__name__=~"{names}"}}'))]
            for names in (MOVING, PAGE_ONLY)
        )
        assert moving[0] == moving[1]
        assert page_only == [
            {
                series("queue_bucket", le="1.0"),
                series("queue_bucket", le="inf"),
                series("queue_gsum"),
                series("queue_gcount"),
            },
            set(),
        ]


def shown(database: backends.Database) -> list[scrape_and_push.Series]:
    """The series of the table, scraped and pushed."""
    database.flush()
    return [of_table(found) for found in scrape_and_push.by_way(database.query(STILL))]


@versions
def test_prometheus_has_every_bridged_series_of_the_page(version: Version, tmp_path: Path) -> None:
    with (
        workers(tmp_path, DUALMETRICS_SCOPE_LABELS="none") as server,
        version(tmp_path, [backends.Target(server.port, dict(scrape_and_push.MARK))]) as database,
    ):
        serve(server)
        table = {labels: value for labels, value in TABLE.items() if labels not in NOT_IN_OPENMETRICS}
        wait_until(lambda: shown(database)[0] == table, 20, "the table", details=lambda: shown(database))
        scraped, pushed = scrape_and_push.by_way(database.query(scrape_and_push.site()))
        assert {*scraped} == {*scrape_and_push.on_page(server, SENT)} - NOT_IN_OPENMETRICS
        assert not pushed
        assert scrape_and_push.complaints(database.log) == []


@versions
def test_debians_prometheus_takes_no_push(version: Version, tmp_path: Path) -> None:
    with version(tmp_path, []) as database:
        request = Request(f"{database.url}/api/v1/otlp/v1/metrics", b"", method="POST")
        with pytest.raises(HTTPError) as refused:
            urlopen(request, timeout=10)
        with refused.value as answer:
            assert answer.status == HTTPStatus.NOT_FOUND
