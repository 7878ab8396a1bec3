"""Checks that a group pushes in each interval, while its processes fork, are recycled, stopped and killed."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dualmetrics.cli.otlp_receiver import ReceivedRequest, Receiver
from tests.chaos.push_subjects import INTERVAL, SUBJECTS, Subject
from tests.chaos.watchers import PageWatcher, PushWatcher
from tests.servers.pushes import pushed_total
from tests.servers.server import Server, total
from tests.waiting import wait_until

LONGEST_STOP = 0.5 * INTERVAL
"""A process is stopped for at most so long. A leader that is stopped for longer pushes late."""

_QUIET_EVERY = 15.0
_NAMES = {"http_requests_total": "http.requests", "jobs_total": "jobs"}
_METHODS = {"stop": 12, "SIGKILL": 2, "SIGTERM": 1}


@dataclass
class PushReport:
    """What happened to the pushes of one group. Times are in seconds.

    ``quiet`` is the number of moments without work, at which the page and the push showed the same.
    """

    subject: str
    seconds: float = 0
    pushes: int = 0
    longest_gap: float = 0
    faults: Counter[str] = field(default_factory=Counter)
    processes: int = 0
    jobs: int = 0
    quiet: int = 0
    scrapes: int = 0
    violations: list[str] = field(default_factory=list)


class Gaps:
    """The time between two pushes. ``longest`` is that of the longest gap, in seconds."""

    def __init__(self) -> None:
        self.pushes = 0
        self.longest = 0.0
        self._last = time.monotonic()

    def pushed(self) -> None:
        """Note a push. The time before the first one is no gap."""
        if self.pushes:
            self.look()
        self.pushes += 1
        self._last = time.monotonic()

    def look(self) -> None:
        """Note the gap that has not ended."""
        self.longest = max(self.longest, time.monotonic() - self._last)


class Faults(threading.Thread):
    """Stops and kills workers at random moments, but not while ``quiet`` is held."""

    def __init__(self, server: Server, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self.quiet = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.workers: set[int] = set()
        self._server = server
        self._random = chance
        self._ended = threading.Event()

    def run(self) -> None:
        """Choose workers until `end` is called."""
        while not self._ended.wait(self._random.uniform(0.1, 0.6)):
            with self.quiet, contextlib.suppress(ProcessLookupError, IndexError):
                workers = self._server.workers()
                self.workers |= workers
                method = self._random.choices(list(_METHODS), list(_METHODS.values()))[0]
                self._act(method, self._random.choice(sorted(workers)))

    def end(self) -> None:
        """End the thread."""
        self._ended.set()
        self.join()

    def _act(self, method: str, pid: int) -> None:
        if method == "stop":
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self._random.uniform(0, LONGEST_STOP))
            os.kill(pid, signal.SIGCONT)
        else:
            os.kill(pid, getattr(signal, method))
        self.counts[method] += 1


class PushCampaign:
    """The watch over one group."""

    def __init__(self, subject: Subject, receiver: Receiver, seed: int) -> None:
        self._subject = subject
        self._receiver = receiver
        self._faults = Faults(subject.server, random.Random(seed))
        self._pages = PageWatcher(subject.server, 0.1)

    def run(self, seconds: float, report: PushReport) -> None:
        """Disturb the group for so many seconds, with quiet moments in between."""
        started = time.monotonic()
        self._subject.resume()
        self._pages.start()
        self._faults.start()
        while (left := seconds - (time.monotonic() - started)) > 0:
            time.sleep(min(_QUIET_EVERY, left))
            with self._faults.quiet:
                self._check_quiet_moment(report)
        self._faults.end()
        self._pages.end()
        report.seconds = time.monotonic() - started
        report.faults, report.processes = self._faults.counts, len(self._faults.workers)
        report.scrapes = self._pages.scrapes
        report.violations += self._pages.violations

    def _check_quiet_moment(self, report: PushReport) -> None:
        """Wait until page and push show the same, with all that was certainly done."""
        done = self._subject.pause()

        def shown() -> tuple[list[float], list[float]]:
            page = self._subject.server.page()
            return (
                [total(page, name) for name in _NAMES],
                [pushed_total(self._receiver, name) for name in _NAMES.values()],
            )

        def agree() -> bool:
            page, push = shown()
            return page == push and page[-1] >= done

        wait_until(agree, 3 * INTERVAL, f"page == push, with {done} jobs", details=shown)
        report.jobs, report.quiet = done, report.quiet + 1
        self._subject.resume()


def run_push_campaign(name: str, seconds: float, folder: Path, seed: int = 1) -> PushReport:
    """Watch one of `SUBJECTS` for so many seconds. Two intervals without a push are a violation."""
    report, gaps, pushes = PushReport(name), Gaps(), PushWatcher()

    def on_request(request: ReceivedRequest) -> None:
        gaps.pushed()
        pushes.check(request)
        receiver.requests.clear()  # there are hundreds

    with Receiver(on_request=on_request) as receiver, SUBJECTS[name](receiver, folder) as subject:
        try:
            PushCampaign(subject, receiver, seed).run(seconds, report)
        except AssertionError as error:
            report.violations.append(f"{name}: {error}")
        gaps.look()
    report.pushes, report.longest_gap = gaps.pushes, gaps.longest
    report.violations += pushes.violations
    if report.longest_gap > 2 * INTERVAL:
        report.violations.append(f"{name}: no push for {report.longest_gap:.1f} s")
    return report
