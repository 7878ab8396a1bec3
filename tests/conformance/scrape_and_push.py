"""A server whose metrics reach a real database both by scrape and by push, and comparisons of the two."""

from __future__ import annotations

import contextlib
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager as Context
from pathlib import Path

from tests import agents, backends
from tests.servers.server import Server
from tests.waiting import wait_until

SCRAPED = frozenset({("export", "scrape")})
"""Marks the series that were scraped; pushed ones have no such label."""

SCRAPE_LABELS = {"job", "instance", "export"}
"""The labels that a scrape adds (docs/parity.md)."""

SELF_METRICS = "up|scrape_.*|target_info|dualmetrics_.*"
"""Series about the scrape itself, and the library's own, which each scrape and push changes."""

StartServer = Callable[..., Context[Server]]
PushPath = Callable[[backends.OtlpDatabase, Path], Context[dict[str, str]]]
"""How a push reaches a database; gives the settings of the server that pushes."""

RunDatabase = Callable[[Path], Context[backends.OtlpDatabase]]

Series = dict[backends.Labels, float]


def app_series(without: str = "nothing") -> str:
    """The selector of the app's series, without the names that match ``without``."""
    return f'{{__name__=~".+",__name__!~"{SELF_METRICS}|{without}"}}'


def comparable(labels: backends.Labels) -> backends.Labels:
    """Drop the scrape's labels, and write bounds alike: ``1`` and ``1.0`` are one bound (docs/parity.md)."""
    kept = {key: value for key, value in labels if key not in SCRAPE_LABELS}
    if "le" in kept:
        kept["le"] = str(float(kept["le"]))
    return frozenset(kept.items())


def split_by_export(series: Series) -> list[Series]:
    """Return the series that were scraped, and those that were pushed."""
    scraped = {comparable(labels): value for labels, value in series.items() if labels >= SCRAPED}
    pushed = {comparable(labels): value for labels, value in series.items() if not labels >= SCRAPED}
    return [scraped, pushed]


def exports_agree(database: backends.Database, expression: str) -> bool:
    """Whether an expression gives the same result, and not an empty one, for scrape and push."""
    database.flush()
    scraped, pushed = split_by_export(database.query(expression))
    return bool(scraped) and scraped == pushed


def differences(database: backends.Database, expression: str) -> list[str]:
    """Return the series that only one of the exports has, or that have different values."""
    scraped, pushed = split_by_export(database.query(expression))
    pairs = {labels: (scraped.get(labels), pushed.get(labels)) for labels in (*scraped, *pushed)}
    return [f"{sorted(labels)}: {one} {other}" for labels, (one, other) in pairs.items() if one != other]


def scraped_requests(database: backends.Database) -> float:
    """Return how many requests the database has from scrapes."""
    return sum(database.query('sum(http_requests_total{export="scrape"})').values())


def send_requests_around_a_death(server: Server, number: int = signal.SIGKILL) -> int:
    """Send 200 requests. After the first 100 a worker gets the signal, if there are several."""
    answered = server.work(100)
    if len(server.workers()) > 1:
        server.kill_worker(next(iter(answered)), number)
    server.work(100)
    return 200


@contextlib.contextmanager
def push_directly(database: backends.OtlpDatabase, folder: Path) -> Iterator[dict[str, str]]:
    """Push to the database."""
    yield {"OTEL_EXPORTER_OTLP_ENDPOINT": database.otlp, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


@contextlib.contextmanager
def push_through_agent(database: backends.OtlpDatabase, folder: Path) -> Iterator[dict[str, str]]:
    """Push over gRPC to an agent, which forwards to the database and must log no warning."""
    with agents.rotel(folder, database.otlp) as agent:
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": agent.grpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        assert not re.search(r"ERROR|WARN", agent.log.read_text())


@contextlib.contextmanager
def scraped_and_pushed(
    start: StartServer,
    folder: Path,
    push_path: PushPath = push_directly,
    run: RunDatabase = backends.victoria_metrics,
) -> Iterator[tuple[Server, backends.OtlpDatabase]]:
    """Run a server that pushes to a database and is scraped by it."""
    settings = {"OTEL_METRIC_EXPORT_INTERVAL": "500", "DUALMETRICS_SCOPE_LABELS": "none"}
    with (
        run(folder) as database,
        push_path(database, folder) as env,
        start(folder, **env, **settings) as server,
    ):
        database.scrape(backends.Target(server.port, dict(SCRAPED)))
        yield server, database


def wait_until_exports_agree(
    server: Server, database: backends.Database, sent: int, expression: str
) -> float:
    """Wait until all requests were scraped, and the push agrees on an expression. Returns the time."""
    server.wait_for_requests(sent)
    wait_until(lambda: scraped_requests(database) == sent, 20, "the scrape", details=server.page)
    wait_until(
        lambda: exports_agree(database, expression),
        20,
        "scrape and push to agree",
        details=lambda: differences(database, expression),
    )
    return time.time()


def page_series(server: Server, sent: int) -> Series:
    """Return the app's series on its page, once it shows all requests."""
    return {
        comparable(frozenset((("__name__", name), *labels))): value
        for (name, labels), value in server.wait_for_requests(sent).items()
        if not re.fullmatch(SELF_METRICS, name)
    }


def prometheus_warnings(log: Path) -> list[str]:
    """Return the warnings and errors in the log of Prometheus 2 or 3."""
    lines = log.read_text().splitlines()
    return [line for line in lines if re.search(r"level=(warn|error)", line, re.IGNORECASE)]
