"""Kills the workers of one server again and again, and checks the numbers between the kills."""

from __future__ import annotations

import contextlib
import http.client
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dualmetrics.cli.otlp_receiver import ReceivedRequest, Receiver
from tests.chaos.kill_methods import KILL_METHODS, random_kill_method
from tests.chaos.load import Load
from tests.chaos.watchers import PageWatcher, PushWatcher
from tests.ports import free_port
from tests.servers.pushes import push_settings, pushed_total
from tests.servers.server import Samples, Server, run_server, total
from tests.waiting import wait_until

WORKERS = 4
CLIENTS = 4
KILLS_PER_ROUND = 5
_FLASK, _ASGI = "tests.chaos.flask_app:app", "tests.chaos.asgi_app:app"
SERVERS = {
    "gunicorn sync": ["gunicorn", "-k", "sync", _FLASK],
    "gunicorn gthread": ["gunicorn", "-k", "gthread", "--threads", "4", _FLASK],
    "gunicorn asgi": ["gunicorn", "-k", "asgi", _ASGI],
    "uvicorn": ["uvicorn", _ASGI],
}


@dataclass
class Report:
    """What happened to one server.

    ``torn`` counts the requests that are in the counter but not in the histogram, since their worker was
    killed between the two; no client has their answers.
    """

    server: str
    kills_by_method: Counter[str] = field(default_factory=Counter)
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
        """How many kills there were, by all methods together."""
        return sum(self.kills_by_method.values())


class Campaign:
    """The rounds of kills against one running server."""

    def __init__(self, report: Report, server: Server, load: Load, seed: int) -> None:
        self.report = report
        self._server = server
        self._load = load
        self._random = random.Random(seed)
        self._counted = 0

    def kill_under_load(self, kills: int) -> None:
        """Kill while clients send. What was answered must be counted; what is counted must have been sent."""
        sent, answered = self._load.sent, self._load.answers().total()
        self._load.resume()
        for _ in range(kills):
            self._kill_an_answering_worker()
        self._load.pause()
        self._check_counts(self._load.answers().total() - answered, self._load.sent - sent)

    def kill_while_idle(self, kills: int) -> None:
        """Kill while no request is in progress. Exactly what is answered then must be counted."""
        for pid in self._random.sample(sorted(self._server.workers()), kills):
            self._kill("SIGKILL", pid)
        answered = self._load.answers().total()
        self._load.resume()
        wait_until(lambda: self._load.answers().total() > answered + 50, 30, "answers after the kills")
        self._load.pause()
        newly_answered = self._load.answers().total() - answered
        self._check_counts(newly_answered, newly_answered)

    def _kill_an_answering_worker(self) -> None:
        answered = self._load.answers()
        time.sleep(self._random.uniform(0.02, 0.2))
        wait_until(lambda: self._answering_workers(answered), 30, "workers that answer")
        self._kill(random_kill_method(self._random), self._random.choice(self._answering_workers(answered)))

    def _answering_workers(self, before: Counter[int]) -> list[int]:
        """The workers that have answered more than ``before``."""
        return sorted(set(self._load.answers() - before) & self._server.workers())

    def _kill(self, method: str, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            KILL_METHODS[method](self._server, pid)
            self.report.kills_by_method[method] += 1

    def _check_counts(self, least: int, most: int) -> None:
        """Compare what was counted since the last check with the least and the most that is right."""
        page = self._page_at_rest(least)
        counted = int(total(page, "http_requests_total", http_route=_work_route(page)))
        newly_counted, self._counted = counted - self._counted, counted
        self.report.lost += max(0, least - newly_counted)
        self.report.doubled += max(0, newly_counted - most)
        durations = total(page, "http_request_duration_milliseconds_count")
        self.report.torn = int(total(page, "http_requests_total") - durations)

    def _page_at_rest(self, least: int) -> Samples:
        """Scrape when no request is in progress and every dead worker was replaced."""

        def is_at_rest() -> bool:
            try:
                page = self._server.page()
            except (
                OSError,
                http.client.HTTPException,
            ):  # a worker that is just being killed had accepted this scrape
                return False
            counted = total(page, "http_requests_total", http_route=_work_route(page)) - self._counted
            return counted >= least and total(page, "http_connections_active") == 0

        with contextlib.suppress(AssertionError):  # the caller compares the numbers
            wait_until(is_at_rest, 15, "the server to be at rest")
        wait_until(lambda: len(self._server.workers()) >= WORKERS, 30, "all workers")
        return self._server.page()


def _work_route(page: Samples) -> str:
    """The route of the load's requests, as the framework writes it."""
    routes = {dict(labels).get("http_route", "") for _, labels in page}
    return next((route for route in routes if route.startswith("/work")), "")


def run_campaign(name: str, kills: int, folder: Path, *options: str, seed: int = 1, **env: str) -> Report:
    """Run one server under so many kills. A server that never comes to rest is a violation too."""
    report, push_watcher = Report(name), PushWatcher()
    with _receiver(push_watcher) as receiver, _server(name, folder, options, receiver, env) as server:
        page_watchers = [PageWatcher(server, 0.02) for _ in range(2)]
        with Load(server.port, CLIENTS) as load, _started(page_watchers):
            try:
                _run_rounds(Campaign(report, server, load, seed), kills)
                _check_push(report, server, load, receiver)
            except AssertionError as error:
                report.violations.append(f"{name}: {error}")
        report.scrapes = sum(watcher.scrapes for watcher in page_watchers)
        report.pushes = push_watcher.pushes
        report.violations += push_watcher.violations
        for watcher in page_watchers:
            report.violations += watcher.violations
    return report


def _run_rounds(campaign: Campaign, kills: int) -> None:
    while (left := kills - campaign.report.kills) > 0:
        campaign.kill_under_load(min(left, KILLS_PER_ROUND))
        if kills > campaign.report.kills:
            campaign.kill_while_idle(min(2, kills - campaign.report.kills))


def _check_push(report: Report, server: Server, load: Load, receiver: Receiver) -> None:
    """Note the totals at the end, and wait until the push shows what the page shows."""
    page = server.page()
    report.sent, report.answered = load.sent, load.answers().total()
    report.counted = int(total(page, "http_requests_total", http_route=_work_route(page)))
    expected = total(page, "http_requests_total")

    def details() -> str:
        pushed = pushed_total(receiver, "http.requests")
        return f"pushed {pushed}, on pages {server.request_totals()}\n{server.log.read_text()[-2000:]}"

    wait_until(
        lambda: pushed_total(receiver, "http.requests") == expected,
        20,
        f"the push of {expected}",
        details=details,
    )


@contextlib.contextmanager
def _receiver(watcher: PushWatcher) -> Iterator[Receiver]:
    def on_request(request: ReceivedRequest) -> None:
        watcher.check(request)
        receiver.requests.clear()  # there are thousands

    with Receiver(on_request=on_request) as receiver:
        yield receiver


@contextlib.contextmanager
def _server(
    name: str, folder: Path, options: tuple[str, ...], receiver: Receiver, env: dict[str, str]
) -> Iterator[Server]:
    module, *arguments = SERVERS[name]
    port = free_port()
    address = ["--port", str(port)] if module == "uvicorn" else ["-b", f"127.0.0.1:{port}"]
    command = [module, *address, "--workers", str(WORKERS), *options, *arguments]
    with run_server(command, port, folder, {**push_settings(receiver, interval=200), **env}) as server:
        wait_until(lambda: len(server.workers()) >= WORKERS, 30, "all workers")
        yield server


@contextlib.contextmanager
def _started(watchers: list[PageWatcher]) -> Iterator[None]:
    for watcher in watchers:
        watcher.start()
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.end()
