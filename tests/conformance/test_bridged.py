"""Bridged metrics in real databases: every series of docs/bridges.md, by scrape and by push."""

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
from tests.conformance.scrape_and_push import (
    SCRAPED,
    PushPath,
    Series,
    app_series,
    page_series,
    prometheus_warnings,
    push_directly,
    push_through_agent,
    scraped_and_pushed,
    send_requests_around_a_death,
    split_by_export,
    wait_until_exports_agree,
)
from tests.servers.server import Server, gunicorn, total
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

PROCESSES = 5
"""Four workers, one of which is ended and replaced."""

SENT = 200
CHANGING = "process_.*|python_gc_.*"
"""Series about the process itself, whose values change all the time."""

PAGE_ONLY = "queue_.*"
"""Gauge histograms, which the rules of OpenTelemetry do not map to OTLP."""

STABLE = app_series(f"{CHANGING}|{PAGE_ONLY}")
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
"""The series of tests/servers/foreign_app.py, with the names that Prometheus gives them."""


def send_requests(server: Server) -> None:
    """Send the requests that lead to the table's values, and scrape until every worker has answered once."""
    assert send_requests_around_a_death(server, signal.SIGTERM) == SENT
    wait_until(lambda: total(server.page(), "dualmetrics_workers") == 4, 20, "all workers to answer")


NOT_IN_OPENMETRICS = {series("sumless_count")}
"""Prometheus scrapes OpenMetrics, which allows no count without a sum."""


def in_table(all_series: Series) -> Series:
    """Keep the series whose names are in the table."""
    names = {dict(labels)["__name__"] for labels in TABLE}
    return {labels: value for labels, value in all_series.items() if dict(labels)["__name__"] in names}


@pytest.mark.parametrize(
    "push_path",
    [pytest.param(push_directly, marks=backends.takes_long), push_through_agent],
)
def test_victoria_metrics_gets_every_bridged_series_by_scrape_and_by_push(
    push_path: PushPath, tmp_path: Path
) -> None:
    with scraped_and_pushed(workers, tmp_path, push_path) as (server, database):
        send_requests(server)
        wait_until_exports_agree(server, database, SENT, STABLE)
        wait_for_table(database, [TABLE, TABLE])
        changing, page_only = (
            [{*one} for one in split_by_export(database.query(f'{{__name__=~"{names}"}}'))]
            for names in (CHANGING, PAGE_ONLY)
        )
        assert changing[0] == changing[1]
        assert page_only == [
            {
                series("queue_bucket", le="1.0"),
                series("queue_bucket", le="inf"),
                series("queue_gsum"),
                series("queue_gcount"),
            },
            set(),
        ]


def wait_for_table(database: backends.Database, expected: list[Series]) -> None:
    wait_until(
        lambda: table_series(database) == expected, 20, "the table", details=lambda: table_series(database)
    )


def table_series(database: backends.Database) -> list[Series]:
    """Return the series of the table, first the scraped ones, then the pushed ones."""
    database.flush()
    return [in_table(one) for one in split_by_export(database.query(STABLE))]


@versions
def test_prometheus_gets_every_bridged_series_of_the_page(version: Version, tmp_path: Path) -> None:
    with (
        workers(tmp_path, DUALMETRICS_SCOPE_LABELS="none") as server,
        version(tmp_path, [backends.Target(server.port, dict(SCRAPED))]) as database,
    ):
        send_requests(server)
        table = {labels: value for labels, value in TABLE.items() if labels not in NOT_IN_OPENMETRICS}
        wait_for_table(database, [table, {}])
        scraped, pushed = split_by_export(database.query(app_series()))
        assert {*scraped} == {*page_series(server, SENT)} - NOT_IN_OPENMETRICS
        assert not pushed
        assert prometheus_warnings(database.log) == []


@versions
def test_prometheus_without_its_otlp_receiver_takes_no_push(version: Version, tmp_path: Path) -> None:
    with version(tmp_path, []) as database:
        request = Request(f"{database.url}/api/v1/otlp/v1/metrics", b"", method="POST")
        with pytest.raises(HTTPError) as refused:
            urlopen(request, timeout=10)
        with refused.value as answer:
            assert answer.status == HTTPStatus.NOT_FOUND
