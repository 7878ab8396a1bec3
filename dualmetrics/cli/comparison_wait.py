"""``dualmetrics compare --wait``: look again and again, until there is a verdict or the declared end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.progress import BarColumn, Progress, TextColumn

from dualmetrics.cli.console import PlainConsole, plain
from dualmetrics.cli.signals import StopSignal, raise_on_stop
from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.errors import (
    ExperimentError,
    InvalidExperimentError,
    TooEarlyError,
    UnreachableError,
)
from dualmetrics.experiments.report.formatting import format_effect, format_interval, format_time
from dualmetrics.experiments.several_variants import overall_verdict
from dualmetrics.experiments.statistics.autocorrelation import MAX_BLOCKS
from dualmetrics.experiments.verdict import Verdict

PATIENCE_SECONDS = 300.0
"""How long a server may be away at the start and at the end, and an experiment unknown at the start."""
RETRY_SECONDS = 5.0
LEAST_SECONDS = 0.1
PROGRESS_SECONDS = 1.0


class DeclaredTime(NamedTuple):
    """The declared start and end, and the present, by the server's clock in seconds since the epoch."""

    start: float
    until: float
    now: float


@dataclass(frozen=True)
class Looks:
    """How to look: find out the declared time, compare what there is up to now, and wait in between."""

    declare: Callable[[], DeclaredTime]
    compare: Callable[[DeclaredTime], list[Comparison]]
    now: Callable[[], float]
    interval: float | None
    """The seconds between two looks. None: as long as a block of the declared time."""


class StoppedError(Exception):
    """A signal has ended the wait. ``last`` has the last comparison with each candidate."""

    def __init__(self, message: str, last: list[Comparison]) -> None:
        super().__init__(message)
        self.last = last


@dataclass
class Wait:
    """The state of the wait. The samples themselves are safe in Prometheus, so that it can be continued."""

    looks: Looks
    console: PlainConsole
    progress: Progress
    started: float = field(default_factory=time.monotonic)
    declared: DeclaredTime | None = None
    seen: float = 0.0
    """When the server's time was last known, by the monotonic clock of this machine."""
    count: int = 0
    last: list[Comparison] = field(default_factory=list)
    problem: str = ""

    def run(self) -> list[Comparison]:
        """Look until there is a verdict or the declared end. Raises `StoppedError` if a signal arrives."""
        try:
            with raise_on_stop(), self.progress:
                return self._run()
        except StopSignal:
            raise StoppedError(self._how_to_continue(), self.last) from None

    def _run(self) -> list[Comparison]:
        while True:
            try:
                comparisons = self._look()
            except (InvalidExperimentError, TooEarlyError, UnreachableError) as error:
                if not self._may_pass(error):
                    raise
                self._report_problem(str(error))
            else:
                verdict = overall_verdict([each.verdict for each in comparisons])
                if verdict is not Verdict.INCONCLUSIVE or self._is_over():
                    return comparisons
                self._report(comparisons)
            self._pause()

    def _look(self) -> list[Comparison]:
        if self.declared is None:
            self.declared = self.looks.declare()
        else:
            self.declared = self.declared._replace(now=self.looks.now())
        self.seen = time.monotonic()
        self.last, self.problem = self.looks.compare(self.declared), ""
        self.count += 1
        return self.last

    def _is_over(self) -> bool:
        """Whether the last look was at the declared end, by the server's clock."""
        return self.declared is not None and self.declared.now >= self.declared.until

    def _left(self) -> float:
        """Return the seconds until the declared end. The clock of this machine does not matter."""
        if self.declared is None:
            return self.started + PATIENCE_SECONDS - time.monotonic()
        return self.declared.until - self.declared.now - (time.monotonic() - self.seen)

    def _may_pass(self, error: ExperimentError) -> bool:
        """Return whether the problem may end by itself."""
        waited = time.monotonic() - self.started
        if isinstance(error, TooEarlyError):
            return not self._is_over()
        if isinstance(error, InvalidExperimentError):
            return not self.last and waited < PATIENCE_SECONDS
        return waited < PATIENCE_SECONDS or (self.declared is not None and self._left() > -PATIENCE_SECONDS)

    def _pause(self) -> None:
        """Wait until the next look."""
        seconds = self._interval() if not self.problem else min(self._interval(), RETRY_SECONDS)
        until = time.monotonic() + max(LEAST_SECONDS, min(seconds, self._left()))
        while (rest := until - time.monotonic()) > 0:
            self._show_progress()
            time.sleep(min(rest, PROGRESS_SECONDS))

    def _interval(self) -> float:
        if self.looks.interval:
            return self.looks.interval
        if self.declared is None:
            return RETRY_SECONDS
        return (self.declared.until - self.declared.start) / MAX_BLOCKS

    def _show_progress(self) -> None:
        task = self.progress.task_ids[0]
        if self.declared is not None:
            total = self.declared.until - self.declared.start
            left = max(0.0, self._left())
            text = f"waiting for a verdict; the declared end is in {format_duration(round(left))}"
            self.progress.update(task, total=total, completed=total - left, description=text)

    def _report(self, comparisons: list[Comparison]) -> None:
        self.console.print(plain(f"{describe_look(self.count, comparisons)}{self._next_look()}"))

    def _next_look(self) -> str:
        return f"; next look in {format_duration(max(LEAST_SECONDS, min(self._interval(), self._left())))}"

    def _report_problem(self, problem: str) -> None:
        """Print a problem once, however often it is met."""
        if problem != self.problem:
            self.console.print(plain(f"waiting: {problem}"))
        self.problem = problem

    def _how_to_continue(self) -> str:
        text = f"Stopped without a verdict after {self.count} look{'' if self.count == 1 else 's'}."
        if self.declared is None:
            return text
        start, until = self.declared.start, self.declared.until
        return (
            f"{text} Nothing is lost: Prometheus has the samples. To continue, run the same command with "
            f"--start {start:.3f} --end {until:.3f} instead of its own --start, --end and --duration."
        )


def describe_look(number: int, comparisons: list[Comparison]) -> str:
    """Return in one line what a look has shown."""
    window = comparisons[0].window
    passed = f"{format_duration(round(window.seconds))} of {format_duration(window.until - window.start)}"
    candidates = "; ".join(map(_describe_candidate, comparisons))
    return f"look {number} at {format_time(window.end)}, {passed}: {candidates}"


def _describe_candidate(comparison: Comparison) -> str:
    gates = [
        f"{gate.name} {format_effect(gate, gate.effect)} ({format_interval(gate)})"
        for gate in comparison.gates
    ]
    waiting = [f"{check.name}: {check.seen}" for check in comparison.checks if check.state == "waiting"]
    return f"{comparison.question.candidate}: {', '.join(waiting or gates)}"


def wait_for_verdict(looks: Looks, console: PlainConsole) -> list[Comparison]:
    """Look until there is a verdict or the declared end. Each look is a line; a terminal shows a bar, too."""
    columns = (TextColumn("{task.description}"), BarColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.wraps)
    progress.add_task("waiting for a verdict", total=None)
    return Wait(looks, console, progress).run()
