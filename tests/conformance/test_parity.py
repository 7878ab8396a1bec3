"""The same app in real databases, scraped and pushed: every series with the same name, labels and value."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager as Context
from pathlib import Path

import pytest

from tests import backends
from tests.conformance import ways
from tests.servers.running import Server, gunicorn, uvicorn
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
def test_victoria_metrics_has_the_same_series_scraped_and_pushed(start: ways.Start, tmp_path: Path) -> None:
    with ways.scraped_and_pushed(start, tmp_path) as (server, database):
        quiet = ways.agreed(server, database, sum(server.work(20).values()), ways.site())
        # Not rate(): VictoriaMetrics divides by the time between samples, and the ways have their own.
        ended = ways.agreed(server, database, 20 + ways.under_load(server), ways.site())
        window = f"[{ended - quiet + 1:.0f}s]"
        assert ways.agree(database, f"increase(http_requests_total{window})")
        buckets = f"sum by (le, way) (increase(http_request_duration_milliseconds_bucket{window}))"
        assert ways.agree(database, f"histogram_quantile(0.9, {buckets})")


@ways_to_run
@pytest.mark.parametrize("version", [backends.prometheus, backends.prometheus3])
def test_prometheus_has_what_the_page_has(
    version: Callable[..., Context[backends.Database]], start: ways.Start, tmp_path: Path
) -> None:
    with start(tmp_path) as server:
        target = backends.Target(server.port, dict(ways.MARK))
        with version(tmp_path, [target]) as database:
            sent = ways.under_load(server)
            page = ways.on_page(server, sent)
            wait_until(lambda: ways.requests(database) == sent, 20, "the scrape of all")
            scraped, _ = ways.by_way(database.query(ways.site()))
            assert scraped == page
            assert ways.complaints(database.log) == []
