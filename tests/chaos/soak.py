"""Thousands of kills, and minutes of disturbed pushes, with a report: ``tox -e soak [-- KILLS [SECONDS]]``.

Each server gets its share of the kills. The pushes of each group are watched for so many seconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.campaign import Report, run_campaign
from tests.chaos.push_campaign import PushReport, run_push_campaign
from tests.chaos.push_subjects import SUBJECTS

KILLS = 5000
PUSH_SECONDS = 600.0
_RECYCLING = ("--max-requests", "400", "--max-requests-jitter", "100")
_CAMPAIGNS = [
    ("gunicorn sync", ("--preload",), 0.25),
    ("gunicorn gthread", ("--preload", *_RECYCLING), 0.25),
    ("gunicorn asgi", ("--preload", *_RECYCLING), 0.2),
    ("gunicorn sync", _RECYCLING, 0.1),
    ("gunicorn gthread", (), 0.1),
    ("uvicorn", (), 0.1),
]
"""Each server with its options and its share of the kills."""

_KILLS_PER_SERVER_START = 100
_FAULTS = ("stop", "SIGKILL", "SIGTERM")
_NUMBERS = ("sent", "answered", "counted", "lost", "doubled", "torn", "scrapes", "pushes")


def main() -> int:
    """Run all campaigns. Returns 1 if anything was lost, counted twice, went down or was pushed late."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else PUSH_SECONDS
    console = Console(width=130)
    reports = [
        _run_in_parts(console, name, options, round(share * kills)) for name, options, share in _CAMPAIGNS
    ]
    console.print(_table(reports))
    push_reports = [_watch_pushes(name, seconds) for name in SUBJECTS]
    console.print(_push_table(push_reports))
    violations = [violation for report in reports for violation in report.violations]
    violations += [violation for report in push_reports for violation in report.violations]
    console.print(*violations, sep="\n")
    return int(bool(violations) or any(report.lost or report.doubled for report in reports))


def _run_in_parts(console: Console, name: str, options: tuple[str, ...], kills: int) -> Report:
    flags = [option for option in options if option.startswith("--")]
    whole = Report(" ".join([name, *flags[:2]]))
    while whole.kills < kills:
        started = time.monotonic()
        part = _run_part(name, options, min(_KILLS_PER_SERVER_START, kills - whole.kills), seed=whole.kills)
        _add(whole, part)
        seconds = time.monotonic() - started
        console.print(f"{whole.server}: {whole.kills} of {kills}, the last {part.kills} in {seconds:.0f} s")
    return whole


def _run_part(name: str, options: tuple[str, ...], kills: int, seed: int) -> Report:
    """Run one campaign. A server that does not come to rest ends its part, not the soak."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run_campaign(name, kills, Path(folder), *options, seed=seed)
        except AssertionError as error:
            return Report(name, violations=[f"{name}: {error}"])


def _add(whole: Report, part: Report) -> None:
    whole.kills_by_method.update(part.kills_by_method)
    whole.violations += part.violations
    for number in _NUMBERS:
        setattr(whole, number, getattr(whole, number) + getattr(part, number))


def _table(reports: list[Report]) -> Table:
    table = Table("server", "kills", *_NUMBERS)
    for report in [*reports, _sum(reports)]:
        table.add_row(report.server, *(str(getattr(report, number)) for number in ("kills", *_NUMBERS)))
    return table


def _watch_pushes(name: str, seconds: float) -> PushReport:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run_push_campaign(name, seconds, Path(folder))
        except AssertionError as error:
            return PushReport(name, violations=[f"{name}: {error}"])


def _push_table(reports: list[PushReport]) -> Table:
    table = Table(
        "group", "seconds", *_FAULTS, "workers", "jobs", "scrapes", "quiet", "pushes", "longest gap"
    )
    for report in reports:
        faults = [str(report.faults[fault]) for fault in _FAULTS]
        numbers = (report.processes, report.jobs, report.scrapes, report.quiet, report.pushes)
        table.add_row(
            report.subject,
            f"{report.seconds:.0f}",
            *faults,
            *map(str, numbers),
            f"{report.longest_gap:.1f} s",
        )
    return table


def _sum(reports: list[Report]) -> Report:
    whole = Report("all")
    for report in reports:
        _add(whole, Report(**{**vars(report), "violations": []}))
    return whole


if __name__ == "__main__":
    sys.exit(main())
