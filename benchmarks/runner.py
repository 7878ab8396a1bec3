"""Runs a question: each contestant in processes of its own, asked for batches in turn.

Several processes one after the other, since where a process' memory lies makes a difference; and a new order
each round, so that whatever else the machine does meets all alike. Who fails is out, with the reason, and
the others go on.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from benchmarks.collector import COLLECTOR_ADDRESS, collector
from benchmarks.question import Contestant, Effort, Form, Question, Values
from benchmarks.results import Row, row

PATIENCE = 300.0
"""Seconds that a contestant has for one answer."""


class ContestantError(Exception):
    """A contestant cannot go on."""


class Runner:
    """A contestant's process, with all that it starts: a session of its own."""

    def __init__(self, question: Question, contestant: Contestant, case: int) -> None:
        self.contestant = contestant
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestant_main", question.name, contestant.name, str(case)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ready(self) -> None:
        """Wait until it has made what it measures. Raises ContestantError."""
        self._answer()

    def batch(self, amount: int) -> Values:
        """Have it do a batch. Raises ContestantError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{amount}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ContestantError("it ended") from error
        values: Values = self._answer()["values"]
        return values

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(PATIENCE, self._kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        answer: dict[str, Any] = json.loads(line or '{"failure": "it ended, or took too long"}')
        if "failure" in answer:
            raise ContestantError(answer["failure"])
        return answer

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the process by ending its input, and whatever of its session is then left."""
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=20)
        self._kill()
        self._process.communicate()


Batches = dict[str, list[Values]]


def run(question: Question, form: Form) -> list[Row]:
    """The measurements of all cases."""
    if question.needs and shutil.which(question.needs) is None:
        reason = f"skipped: {question.needs} is not installed"
        print(f"!!! {question.name} {reason}", file=sys.stderr)
        return [row(0, each.name, [], reason) for each in question.contestants]
    effort = question.efforts[form]
    with surroundings():
        return [found for case in effort.cases for found in run_case(question, effort, case, form)]


@contextlib.contextmanager
def surroundings() -> Iterator[None]:
    """What all contestants find: a Collector, and a directory in memory for what they write."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    before = dict(os.environ)
    with (
        collector() as address,
        tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True) as directory,
    ):
        os.environ.update({COLLECTOR_ADDRESS: address, "TMPDIR": directory})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def run_case(question: Question, effort: Effort, case: int, form: Form) -> list[Row]:
    """The measurements of one case."""
    contestants = [each for each in question.contestants if form == "full" or case <= each.most]
    if form == "tiny":
        contestants = [each for each in contestants if _is_tiny(question, each.name)]
    batches: Batches = {each.name: [] for each in contestants}
    failures: dict[str, str] = {}
    for _ in range(effort.processes):
        with started(question, contestants, case) as runners:
            interleave(runners, effort, batches, failures)
        contestants = [each for each in contestants if each.name not in failures]
    return [row(case, name, found, failures.get(name)) for name, found in batches.items()]


def _is_tiny(question: Question, name: str) -> bool:
    return name in (question.base, question.floor) or name.startswith("ours")


@contextlib.contextmanager
def started(question: Question, contestants: list[Contestant], case: int) -> Iterator[list[Runner]]:
    """A process for each contestant until the end of the block."""
    with contextlib.ExitStack() as stack:
        runners = []
        for contestant in contestants:
            runners.append(Runner(question, contestant, case))
            stack.callback(runners[-1].stop)
        yield runners


def interleave(runners: list[Runner], effort: Effort, batches: Batches, failures: dict[str, str]) -> None:
    """Batches of each in turn, after one that warms up."""
    alive = list(runners)
    for number in range(effort.rounds + 1):
        for runner in random.sample(alive, len(alive)):
            try:
                if number == 0:
                    runner.ready()
                values = runner.batch(effort.amount)
            except ContestantError as failure:
                failures[runner.contestant.name] = str(failure)
                alive.remove(runner)
                print(f"!!! {runner.contestant.name} failed: {failure}", file=sys.stderr)
            else:
                if number:
                    batches[runner.contestant.name].append(values)
