"""Runs a question: starts a process for each contestant, and asks them for batches in turn.

Each contestant gets several processes, one after the other, because the place of a process's memory changes
its speed. Each round asks the contestants in a new order, so that other load on the machine affects all of
them alike. A contestant that fails drops out with its reason, and the others continue.
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

from benchmarks.collector import COLLECTOR_ADDRESS, run_collector
from benchmarks.question import Contestant, Effort, Form, Question, Values
from benchmarks.results import Measurement, summarize

ANSWER_TIMEOUT = 300.0
"""Seconds that a contestant has for one answer."""

Batches = dict[str, list[Values]]
"""The measured batches, by contestant."""


class ContestantError(Exception):
    """A contestant cannot continue."""


class ContestantProcess:
    """The process of a contestant, in a session of its own."""

    def __init__(self, question: Question, contestant: Contestant, case: int) -> None:
        self.contestant = contestant
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestant_main", question.name, contestant.name, str(case)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until_ready(self) -> None:
        """Wait until the contestant is set up. Raises ContestantError."""
        self._read_answer()

    def run_batch(self, repetitions: int) -> Values:
        """Run one batch. Raises ContestantError."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{repetitions}\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise ContestantError("the process ended") from error
        values: Values = self._read_answer()["values"]
        return values

    def _read_answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        timer = threading.Timer(ANSWER_TIMEOUT, self._kill)
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        answer: dict[str, Any] = json.loads(line or '{"failure": "the process ended or took too long"}')
        if "failure" in answer:
            raise ContestantError(answer["failure"])
        return answer

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """Close the input, wait for the process to end, and kill what is left of its session."""
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            self._process.communicate(timeout=20)
        self._kill()
        self._process.communicate()


def run(question: Question, form: Form) -> list[Measurement]:
    """Measure all cases of a question."""
    program = question.required_program
    if program and shutil.which(program) is None:
        reason = f"skipped: {program} is not installed"
        print(f"!!! {question.name} {reason}", file=sys.stderr)
        return [summarize(0, contestant.name, [], reason) for contestant in question.contestants]
    effort = question.efforts[form]
    with environment():
        return [row for case in effort.cases for row in run_case(question, effort, case, form)]


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """Give all contestants a Collector, and a temporary directory in memory."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    before = dict(os.environ)
    temporary = tempfile.TemporaryDirectory(dir=base, ignore_cleanup_errors=True)
    with run_collector() as address, temporary as directory:
        os.environ.update({COLLECTOR_ADDRESS: address, "TMPDIR": directory})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def run_case(question: Question, effort: Effort, case: int, form: Form) -> list[Measurement]:
    """Measure one case."""
    contestants = [
        contestant
        for contestant in question.contestants
        if (form == "full" or case <= contestant.largest_case)
        and (form != "tiny" or _is_in_tiny_form(question, contestant.name))
    ]
    batches: Batches = {contestant.name: [] for contestant in contestants}
    failures: dict[str, str] = {}
    for _ in range(effort.processes):
        running = [contestant for contestant in contestants if contestant.name not in failures]
        with start_processes(question, running, case) as processes:
            run_rounds(processes, effort, batches, failures)
    return [summarize(case, name, values, failures.get(name)) for name, values in batches.items()]


def _is_in_tiny_form(question: Question, name: str) -> bool:
    return name in (question.base, question.floor) or name.startswith("ours")


@contextlib.contextmanager
def start_processes(
    question: Question, contestants: list[Contestant], case: int
) -> Iterator[list[ContestantProcess]]:
    """Run a process for each contestant until the end of the block."""
    with contextlib.ExitStack() as stack:
        processes = []
        for contestant in contestants:
            processes.append(ContestantProcess(question, contestant, case))
            stack.callback(processes[-1].stop)
        yield processes


def run_rounds(
    processes: list[ContestantProcess], effort: Effort, batches: Batches, failures: dict[str, str]
) -> None:
    """Run a batch of each contestant per round; the first round warms up and is not kept."""
    alive = list(processes)
    for number in range(effort.rounds + 1):
        for process in random.sample(alive, len(alive)):
            name = process.contestant.name
            try:
                if number == 0:
                    process.wait_until_ready()
                values = process.run_batch(effort.repetitions)
            except ContestantError as error:
                failures[name] = str(error)
                alive.remove(process)
                print(f"!!! {name} failed: {error}", file=sys.stderr)
            else:
                if number:
                    batches[name].append(values)
