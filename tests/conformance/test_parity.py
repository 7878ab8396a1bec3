"""The same app in real databases, scraped and pushed: every series with the same name, labels and value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager as Context
from pathlib import Path

import pytest

from tests import backends
from tests.conformance import scrape_and_push
from tests.servers.server import Server, gunicorn, uvicorn
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]


def one_process(folder: Path, **env: str) -> Context[Server]:
    return uvicorn(folder, workers=1, **env)


def four_workers(folder: Path, **env: str) -> Context[Server]:
    return gunicorn("gunicorn-sync", folder, workers=4, **env)


ways_to_run = pytest.mark.parametrize(
    "start", [pytest.param(one_process, marks=backends.takes_long), four_workers]
)


@ways_to_run
def test_victoria_metrics_has_the_same_series_scraped_and_pushed(
    start: scrape_and_push.Start, tmp_path: Path
) -> None:
    with scrape_and_push.scraped_and_pushed(start, tmp_path) as (server, database):
        quiet = scrape_and_push.agreed(
            server, database, sum(server.work(20).values()), scrape_and_push.site()
        )
        # Not rate(): VictoriaMetrics divides by the time between samples, and the ways have their own.
        ended = scrape_and_push.agreed(
            server, database, 20 + scrape_and_push.under_load(server), scrape_and_push.site()
        )
        window = f"[{ended - quiet + 1:.0f}s]"
        assert scrape_and_push.agree(database, f"increase(http_requests_total{window})")
        buckets = f"sum by (le, way) (increase(http_request_duration_milliseconds_bucket{window}))"
        assert scrape_and_push.agree(database, f"histogram_quantile(0.9, {buckets})")


@ways_to_run
@pytest.mark.parametrize("version", [backends.prometheus, backends.prometheus3])
def test_prometheus_has_what_the_page_has(
    version: Callable[..., Context[backends.Database]], start: scrape_and_push.Start, tmp_path: Path
) -> None:
    with start(tmp_path) as server:
        target = backends.Target(server.port, dict(scrape_and_push.MARK))
        with version(tmp_path, [target]) as database:
            sent = scrape_and_push.under_load(server)
            page = scrape_and_push.on_page(server, sent)
            wait_until(lambda: scrape_and_push.requests(database) == sent, 20, "the scrape of all")
            scraped, _ = scrape_and_push.by_way(database.query(scrape_and_push.site()))
            assert scraped == page
            assert scrape_and_push.complaints(database.log) == []
