"""One server's metrics in a real database by both ways, and whether these agree."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager as Context
from pathlib import Path

from tests import agents, backends
from tests.servers.server import Server
from tests.waiting import wait_until

MARK = frozenset({("way", "scraped")})
ADDED = {"job", "instance", "way"}
"""The labels of a scrape, which the operator gives (docs/parity.md)."""

OWN = "up|scrape_.*|target_info|dualmetrics_.*"
"""Series of the scrape itself, and our own health, which scrapes and pushes change."""

Start = Callable[..., Context[Server]]
Way = Callable[[backends.VictoriaMetrics, Path], Context[dict[str, str]]]
"""How a push gets into a database: the variables that say where it begins."""

Series = dict[backends.Labels, float]


def site(but: str = "nothing") -> str:
    """The app's series; without those that the expression ``but`` names."""
    return f'{{__name__=~".+",__name__!~"{OWN}|{but}"}}'


def plain(labels: backends.Labels) -> backends.Labels:
    """Without the scrape's labels; a bound of ``1`` and of ``1.0`` is one (docs/parity.md)."""
    found = {key: value for key, value in labels if key not in ADDED}
    if "le" in found:
        found["le"] = str(float(found["le"]))
    return frozenset(found.items())


def by_way(found: Series) -> list[Series]:
    """What was scraped, and what was pushed."""
    scraped = {plain(labels): value for labels, value in found.items() if labels >= MARK}
    return [scraped, {plain(labels): value for labels, value in found.items() if not labels >= MARK}]


def agree(database: backends.VictoriaMetrics, expression: str) -> bool:
    """Whether an expression gives the same for both ways, and something."""
    database.flush()
    scraped, pushed = by_way(database.query(expression))
    return bool(scraped) and scraped == pushed


def differences(database: backends.Database, expression: str) -> list[str]:
    """The series that one of the ways has not, or with another value."""
    scraped, pushed = by_way(database.query(expression))
    either = dict.fromkeys((*scraped, *pushed))
    found = {each: (scraped.get(each), pushed.get(each)) for each in either}
    return [f"{sorted(each)}: {values}" for each, values in found.items() if values[0] != values[1]]


def requests(database: backends.Database) -> float:
    """How many requests the database knows of from scrapes."""
    found = database.query('sum(http_requests_total{way="scraped"})')
    return sum(found.values())


def under_load(server: Server, end: int = signal.SIGKILL) -> int:
    """Serve, while the worker that served first is ended if there are several; how many they answered."""
    answered = server.work(100)
    if len(server.workers()) > 1:
        victim = next(iter(answered))
        os.kill(victim, end)
        wait_until(lambda: victim not in server.workers(), 10, "the worker to be gone")
    server.work(100)
    return 200


@contextlib.contextmanager
def directly(database: backends.VictoriaMetrics, folder: Path) -> Iterator[dict[str, str]]:
    """The push goes to the database."""
    yield {"OTEL_EXPORTER_OTLP_ENDPOINT": database.otlp, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


@contextlib.contextmanager
def through_an_agent(database: backends.VictoriaMetrics, folder: Path) -> Iterator[dict[str, str]]:
    """The push goes to an agent over gRPC, which forwards it, and complains of nothing."""
    with agents.rotel(folder, database.otlp) as agent:
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": agent.grpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
        assert not re.search(r"ERROR|WARN", agent.log.read_text())


@contextlib.contextmanager
def scraped_and_pushed(
    start: Start, folder: Path, way: Way = directly
) -> Iterator[tuple[Server, backends.VictoriaMetrics]]:
    """A server that VictoriaMetrics scrapes as it pushes to it."""
    settings = {"OTEL_METRIC_EXPORT_INTERVAL": "500", "DUALMETRICS_SCOPE_LABELS": "none"}
    with (
        backends.victoria_metrics(folder) as database,
        way(database, folder) as env,
        start(folder, **env, **settings) as server,
    ):
        database.scrape(backends.Target(server.port, dict(MARK)))
        yield server, database


def agreed(server: Server, database: backends.VictoriaMetrics, sent: int, expression: str) -> float:
    """Wait until both ways show all requests, and the same for an expression; the time then."""
    server.wait_for_requests(sent)
    wait_until(lambda: requests(database) == sent, 20, "the scrape of all", details=server.page)
    wait_until(
        lambda: agree(database, expression),
        20,
        "both ways to agree",
        details=lambda: differences(database, expression),
    )
    return time.time()


def on_page(server: Server, sent: int) -> Series:
    """The app's series on its page, once that shows all requests."""
    return {
        plain(frozenset((("__name__", name), *labels))): value
        for (name, labels), value in server.wait_for_requests(sent).items()
        if not re.fullmatch(OWN, name)
    }


def complaints(log: Path) -> list[str]:
    """What Prometheus warned of, by the words of both versions."""
    lines = log.read_text().splitlines()
    return [line for line in lines if re.search(r"level=(warn|error)", line, re.IGNORECASE)]
