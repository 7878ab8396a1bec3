"""Kills over one server, and what was true of the numbers at each quiet moment in between."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from dualmetrics.cli.otlp_receiver import ReceivedRequest, Receiver
from tests.chaos.kill_methods import WAYS, any_way
from tests.chaos.load import Load
from tests.chaos.watchers import Pushes, Scraper
from tests.ports import free_port
from tests.servers.server import Samples, Server, run_server, total
from tests.waiting import wait_until

WORKERS = 4
CLIENTS = 4
KILLS_A_ROUND = 5
_FLASK, _ASGI = "tests.chaos.flask_app:app", "tests.chaos.asgi_app:app"
SERVERS = {
    "gunicorn sync": ["gunicorn", "-k", "sync", _FLASK],
    "gunicorn gthread": ["gunicorn", "-k", "gthread", "--threads", "4", _FLASK],
    "gunicorn asgi": ["gunicorn", "-k", "asgi", _ASGI],
    "uvicorn": ["uvicorn", _ASGI],
}
_never = Event()


@dataclass
class Report:
    """What happened to one server.

    ``torn``: requests of which the counter knows and the histogram does not, since their worker was killed
    between the two; nobody has their answers.
    """

    server: str
    ways: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    answered: int = 0
    counted: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    scrapes: int = 0
    pushes: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Of all ways."""
        return sum(self.ways.values())


class Campaign:
    """The rounds over one running server."""

    def __init__(self, report: Report, server: Server, load: Load, seed: int) -> None:
        self.report = report
        self._server = server
        self._load = load
        self._chance = random.Random(seed)
        self._counted = 0

    def loaded_round(self, kills: int) -> None:
        """Kill while requests are under way: what was answered is counted, what is counted was sent."""
        sent, answered = self._load.sent, self._load.answers().total()
        self._load.resume()
        for _ in range(kills):
            self._strike()
        self._load.pause()
        self._judge(self._load.answers().total() - answered, self._load.sent - sent)

    def quiet_round(self, kills: int) -> None:
        """Kill while nothing is under way: exactly what was answered is counted."""
        for pid in self._chance.sample(sorted(self._server.workers()), kills):
            self._kill("SIGKILL", pid)
        answered = self._load.answers().total()
        self._load.resume()
        wait_until(lambda: self._load.answers().total() > answered + 50, 30, "answers after the kills")
        self._load.pause()
        self._judge(*[self._load.answers().total() - answered] * 2)

    def _strike(self) -> None:
        """Kill one of those that answer."""
        answered = self._load.answers()
        _never.wait(self._chance.uniform(0.02, 0.2))
        wait_until(lambda: self._busy(answered), 30, "workers that answer")
        self._kill(any_way(self._chance), self._chance.choice(self._busy(answered)))

    def _busy(self, before: Counter[int]) -> list[int]:
        return sorted(set(self._load.answers() - before) & self._server.workers())

    def _kill(self, way: str, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            WAYS[way](self._server, pid)
            self.report.ways[way] += 1

    def _judge(self, least: int, most: int) -> None:
        """Compare what was counted since the last time with what may have been."""
        page = self._settle(least)
        counted = int(total(page, "http_requests_total", http_route=_route(page)))
        new, self._counted = counted - self._counted, counted
        self.report.lost += max(0, least - new)
        self.report.doubled += max(0, new - most)
        durations = total(page, "http_request_duration_milliseconds_count")
        self.report.torn = int(total(page, "http_requests_total") - durations)

    def _settle(self, least: int) -> Samples:
        """The page when no request is under way and no dead worker is to be replaced."""

        def settled() -> bool:
            page = self._server.page()
            counted = total(page, "http_requests_total", http_route=_route(page)) - self._counted
            return counted >= least and total(page, "http_connections_active") == 0

        with contextlib.suppress(AssertionError):  # whoever asked compares
            wait_until(settled, 15, "quiet")
        wait_until(lambda: len(self._server.workers()) >= WORKERS, 30, "all workers")
        return self._server.page()


def _route(page: Samples) -> str:
    """How the framework writes the route that the load asks for."""
    routes = {dict(labels).get("http_route", "") for _, labels in page}
    return next((route for route in routes if route.startswith("/work")), "")


def run(name: str, kills: int, folder: Path, *options: str, seed: int = 1, **env: str) -> Report:
    """One server under so many kills. If it does not come to rest, that is a violation too."""
    report, pushes = Report(name), Pushes()
    with _receiver(pushes) as receiver, _server(name, folder, options, receiver, env) as server:
        scrapers = [Scraper(server, 0.02) for _ in range(2)]
        with Load(server.port, CLIENTS) as load, _started(scrapers):
            try:
                _rounds(Campaign(report, server, load, seed), kills)
                _close(report, server, load, receiver)
            except AssertionError as error:
                report.violations.append(f"{name}: {error}")
        report.scrapes = sum(scraper.scrapes for scraper in scrapers)
        report.pushes = pushes.count
        watched = [pushes.violations, *(scraper.violations for scraper in scrapers)]
        report.violations += [violation for violations in watched for violation in violations]
    return report


def _rounds(campaign: Campaign, kills: int) -> None:
    while (left := kills - campaign.report.kills) > 0:
        campaign.loaded_round(min(left, KILLS_A_ROUND))
        if kills > campaign.report.kills:
            campaign.quiet_round(min(2, kills - campaign.report.kills))


def _close(report: Report, server: Server, load: Load, receiver: Receiver) -> None:
    """The totals at the end, and that the push shows what the page shows."""
    page = server.page()
    report.sent, report.answered = load.sent, load.answers().total()
    report.counted = int(total(page, "http_requests_total", http_route=_route(page)))
    expected = total(page, "http_requests_total")

    def pushed() -> float:
        found = receiver.series().items()
        return sum(value.value for (_, name, *_), value in found if name == "http.requests")

    def seen() -> str:
        pages = {total(server.page(), "http_requests_total") for _ in range(20)}
        return f"pushed {pushed()}, on pages {pages}\n{server.log.read_text()[-2000:]}"

    wait_until(lambda: pushed() == expected, 20, f"{expected} to be pushed", details=seen)


@contextlib.contextmanager
def _receiver(pushes: Pushes) -> Iterator[Receiver]:
    def on_request(delivered: ReceivedRequest) -> None:
        pushes.take(delivered)
        receiver.requests.clear()  # thousands

    with Receiver(on_request=on_request) as receiver:
        yield receiver


@contextlib.contextmanager
def _server(
    name: str, folder: Path, options: tuple[str, ...], receiver: Receiver, env: dict[str, str]
) -> Iterator[Server]:
    module, *arguments = SERVERS[name]
    port = free_port()
    where = ["--port", str(port)] if module == "uvicorn" else ["-b", f"127.0.0.1:{port}"]
    command = [module, *where, "--workers", str(WORKERS), *options, *arguments]
    push = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "200"}
    with run_server(command, port, folder, {**push, **env}) as server:
        wait_until(lambda: len(server.workers()) >= WORKERS, 30, "all workers")
        yield server


@contextlib.contextmanager
def _started(scrapers: list[Scraper]) -> Iterator[None]:
    for scraper in scrapers:
        scraper.start()
    try:
        yield
    finally:
        for scraper in scrapers:
            scraper.end()
