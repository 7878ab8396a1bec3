"""Thousands of kills over the main servers, and a report: ``tox -e soak [-- KILLS]``."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos.campaign import Report, run

KILLS = 5000
_RECYCLING = ("--max-requests", "400", "--max-requests-jitter", "100")
_CAMPAIGNS = [
    ("gunicorn sync", ("--preload",), 0.25),
    ("gunicorn gthread", ("--preload", *_RECYCLING), 0.25),
    ("gunicorn asgi", ("--preload", *_RECYCLING), 0.2),
    ("gunicorn sync", _RECYCLING, 0.1),
    ("gunicorn gthread", (), 0.1),
    ("uvicorn", (), 0.1),
]
_SEGMENT = 100
"""Kills until the server is started anew."""


def main() -> int:
    """1 if anything was lost, doubled or went backwards."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    console = Console(width=130)
    reports = [_campaign(console, name, options, round(share * kills)) for name, options, share in _CAMPAIGNS]
    console.print(_table(reports))
    violations = [violation for report in reports for violation in report.violations]
    console.print(*violations, sep="\n")
    return int(bool(violations) or any(report.lost or report.doubled for report in reports))


def _campaign(console: Console, name: str, options: tuple[str, ...], kills: int) -> Report:
    whole = Report(" ".join([name, *(option for option in options if option.startswith("--"))][:3]))
    while whole.kills < kills:
        started = time.monotonic()
        part = _part(name, options, min(_SEGMENT, kills - whole.kills), seed=whole.kills)
        _add(whole, part)
        seconds = time.monotonic() - started
        console.print(f"{whole.server}: {whole.kills} of {kills}, the last {part.kills} in {seconds:.0f} s")
    return whole


def _part(name: str, options: tuple[str, ...], kills: int, seed: int) -> Report:
    """A server that does not come to rest ends its part, not the soak."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return run(name, kills, Path(folder), *options, seed=seed)
        except AssertionError as error:
            return Report(name, violations=[f"{name}: {error}"])


def _add(whole: Report, part: Report) -> None:
    whole.ways.update(part.ways)
    whole.violations += part.violations
    for field in ("sent", "answered", "counted", "lost", "doubled", "torn", "scrapes", "pushes"):
        setattr(whole, field, getattr(whole, field) + getattr(part, field))


def _table(reports: list[Report]) -> Table:
    numbers = ("kills", "sent", "answered", "counted", "lost", "doubled", "torn", "scrapes", "pushes")
    found = Table("server", *numbers)
    for report in [*reports, _sum(reports)]:
        found.add_row(report.server, *(str(getattr(report, number)) for number in numbers))
    return found


def _sum(reports: list[Report]) -> Report:
    whole = Report("all")
    for report in reports:
        _add(whole, Report(**{**vars(report), "violations": []}))
    return whole


if __name__ == "__main__":
    sys.exit(main())
