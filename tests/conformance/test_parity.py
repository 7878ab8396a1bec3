"""An app in real databases: each series has the same name, labels and value by scrape and by push."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager as Context
from pathlib import Path

import pytest

from tests import backends
from tests.conformance.scrape_and_push import (
    SCRAPED,
    StartServer,
    app_series,
    exports_agree,
    page_series,
    prometheus_warnings,
    scraped_and_pushed,
    scraped_requests,
    send_requests_around_a_death,
    split_by_export,
    wait_until_exports_agree,
)
from tests.otlp_prometheus import prometheus_with_otlp
from tests.servers.server import Server, gunicorn, uvicorn
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]


def one_process(folder: Path, **env: str) -> Context[Server]:
    return uvicorn(folder, workers=1, **env)


def four_workers(folder: Path, **env: str) -> Context[Server]:
    return gunicorn("gunicorn-sync", folder, workers=4, **env)


servers = pytest.mark.parametrize(
    "start", [pytest.param(one_process, marks=backends.takes_long), four_workers]
)


@servers
def test_victoria_metrics_gets_the_same_series_by_scrape_and_by_push(
    start: StartServer, tmp_path: Path
) -> None:
    with scraped_and_pushed(start, tmp_path) as (server, database):
        quiet = wait_until_exports_agree(server, database, sum(server.work(20).values()), app_series())
        # Not rate(): VictoriaMetrics divides by the time between samples, which differs between the exports.
        ended = wait_until_exports_agree(
            server, database, 20 + send_requests_around_a_death(server), app_series()
        )
        window = f"[{ended - quiet + 1:.0f}s]"
        assert exports_agree(database, f"increase(http_requests_total{window})")
        buckets = f"sum by (le, export) (increase(http_request_duration_milliseconds_bucket{window}))"
        assert exports_agree(database, f"histogram_quantile(0.9, {buckets})")


@servers
def test_prometheus_gets_the_same_series_by_scrape_and_by_push(start: StartServer, tmp_path: Path) -> None:
    with scraped_and_pushed(start, tmp_path, run=prometheus_with_otlp) as (server, database):
        wait_until_exports_agree(server, database, send_requests_around_a_death(server), app_series())
        assert prometheus_warnings(database.log) == []


@servers
@pytest.mark.parametrize("version", [backends.prometheus, backends.prometheus3])
def test_prometheus_gets_every_series_of_the_page(
    version: Callable[..., Context[backends.Database]], start: StartServer, tmp_path: Path
) -> None:
    with start(tmp_path) as server:
        target = backends.Target(server.port, dict(SCRAPED))
        with version(tmp_path, [target]) as database:
            sent = send_requests_around_a_death(server)
            page = page_series(server, sent)
            wait_until(lambda: scraped_requests(database) == sent, 20, "the scrape")
            scraped, _ = split_by_export(database.query(app_series()))
            assert scraped == page
            assert prometheus_warnings(database.log) == []
