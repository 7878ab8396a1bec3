"""The same app in real databases, scraped and pushed: every series with the same name, labels and value."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager as Context
from pathlib import Path

import pytest

from tests import backends
from tests.servers.running import Server, gunicorn, uvicorn
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

MARK = frozenset({("way", "scraped")})
ADDED = {"job", "instance", "way"}
"""The labels of a scrape, which the operator gives (docs/parity.md)."""

OWN = "up|scrape_.*|target_info|dualmetrics_.*"
"""Series of the scrape itself, and our own health, which scrapes and pushes change."""

SITE = f'{{__name__=~".+",__name__!~"{OWN}"}}'


def plain(labels: backends.Labels) -> backends.Labels:
    """Without the scrape's labels; a bound of ``1`` and of ``1.0`` is one (docs/parity.md)."""
    found = {key: value for key, value in labels if key not in ADDED}
    if "le" in found:
        found["le"] = str(float(found["le"]))
    return frozenset(found.items())


def by_way(found: dict[backends.Labels, float]) -> list[dict[backends.Labels, float]]:
    """What was scraped, and what was pushed."""
    scraped = {plain(labels): value for labels, value in found.items() if labels >= MARK}
    return [scraped, {plain(labels): value for labels, value in found.items() if not labels >= MARK}]


def agree(database: backends.VictoriaMetrics, expression: str) -> bool:
    """Whether an expression gives the same for both ways, and something."""
    database.flush()
    scraped, pushed = by_way(database.query(expression))
    return bool(scraped) and scraped == pushed


def requests(database: backends.Database) -> float:
    """How many requests the database knows of from scrapes."""
    found = database.query('sum(http_requests_total{way="scraped"})')
    return sum(found.values())


def under_load(server: Server) -> int:
    """Serve, while the worker that served first is killed if there are several; how many it answered."""
    answered = server.work(100)
    if len(server.workers()) > 1:
        victim = next(iter(answered))
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in server.workers(), 10, "the worker to be gone")
    server.work(100)
    return 200


def one_process(folder: Path, **env: str) -> Context[Server]:
    return uvicorn(folder, workers=1, **env)


def four_workers(folder: Path, **env: str) -> Context[Server]:
    return gunicorn("gunicorn-sync", folder, workers=4, **env)


ways_to_run = pytest.mark.parametrize(
    "start", [pytest.param(one_process, marks=backends.takes_long), four_workers]
)
Start = Callable[..., Context[Server]]


@contextlib.contextmanager
def scraped_and_pushed(start: Start, folder: Path) -> Iterator[tuple[Server, backends.VictoriaMetrics]]:
    """A server that VictoriaMetrics scrapes as it pushes to it."""
    with backends.victoria_metrics(folder) as database:
        env = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": database.otlp,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
            "DUALMETRICS_SCOPE_LABELS": "none",
        }
        with start(folder, **env) as server:
            database.scrape(backends.Target(server.port, dict(MARK)))
            yield server, database


def complaints(log: Path) -> list[str]:
    """What Prometheus warned of, by the words of both versions."""
    lines = log.read_text().splitlines()
    return [line for line in lines if re.search(r"level=(warn|error)", line, re.IGNORECASE)]


def agreed(server: Server, database: backends.VictoriaMetrics, sent: int) -> float:
    """Wait until both ways show all requests; the time then."""
    server.settle(sent)
    wait_until(lambda: requests(database) == sent, 20, "the scrape of all", details=server.page)
    wait_until(lambda: agree(database, SITE), 20, "both ways to agree", details=lambda: database.query(SITE))
    return time.time()


@ways_to_run
def test_victoria_metrics_has_the_same_series_scraped_and_pushed(start: Start, tmp_path: Path) -> None:
    with scraped_and_pushed(start, tmp_path) as (server, database):
        quiet = agreed(server, database, sum(server.work(20).values()))
        # Not rate(): VictoriaMetrics divides by the time between samples, and the ways have their own.
        window = f"[{agreed(server, database, 20 + under_load(server)) - quiet + 1:.0f}s]"
        assert agree(database, f"increase(http_requests_total{window})")
        buckets = f"sum by (le, way) (increase(http_request_duration_milliseconds_bucket{window}))"
        assert agree(database, f"histogram_quantile(0.9, {buckets})")


@ways_to_run
@pytest.mark.parametrize("version", [backends.prometheus, backends.prometheus3])
def test_prometheus_has_what_the_page_has(
    version: Callable[..., Context[backends.Database]], start: Start, tmp_path: Path
) -> None:
    with start(tmp_path) as server:
        target = backends.Target(server.port, dict(MARK))
        with version(tmp_path, [target]) as database:
            sent = under_load(server)
            page = {
                plain(frozenset((("__name__", name), *labels))): value
                for (name, labels), value in server.settle(sent).items()
                if not name.startswith(("dualmetrics_", "target_info"))
            }
            wait_until(lambda: requests(database) == sent, 20, "the scrape of all")
            scraped, _ = by_way(database.query(SITE))
            assert scraped == page
            assert complaints(database.log) == []
