"""What the commands of ``dualmetrics experiment`` print and ask."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from dualmetrics.cli.console import make_table, plain
from dualmetrics.cli.streams import print_text
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.report.formatting import format_time
from dualmetrics.experiments.setup.directory import find_directories
from dualmetrics.experiments.setup.removal import Removal, expired_directories, plan_removal
from dualmetrics.experiments.setup.status import Status
from dualmetrics.runtime.printable import printable


def print_status(status: Status, console: Console) -> None:
    """Print the state as a table."""
    table = make_table("", "", show_header=False, title=f"experiment {status.manifest.name}")
    up = ("up", "green") if status.up else ("down", "red")
    since = f" since {status.since}" if status.up else ""
    table.add_row("Prometheus", Text.assemble(up, plain(f"{since}, {status.manifest.url}")))
    for variant, targets in status.targets.items():
        table.add_row(plain(variant), f"{targets} targets up")
    series = "" if status.series is None else f", {status.series} series"
    table.add_row("data", f"{status.bytes / 1e6:.3g} MB{series}")
    table.add_row("first sample", "unknown" if status.began is None else format_time(status.began))
    table.add_row("declared end", _declared_end(status))
    console.print(table)


def _declared_end(status: Status) -> str:
    if status.until is None:
        return f"{format_duration(status.manifest.duration)} after the first sample"
    left = status.until - time.time()
    return f"{format_time(status.until)}, " + (f"in {format_duration(left)}" if left > 0 else "reached")


def clean_experiments(name: str | None, parent: Path, *, expired: bool, dry_run: bool, yes: bool) -> None:
    """Show what will be removed, ask for confirmation unless ``yes``, and remove it.

    Raises `UsageError` unless either a name or ``expired`` is given.
    """
    if bool(name) == expired:
        raise UsageError("Give either the name of an experiment or --expired.")
    if expired:
        directories = expired_directories(list(find_directories(parent)), time.time())
    else:
        directories = [Path(name or "")]
    for directory in directories:
        _clean(plan_removal(directory), dry_run=dry_run, yes=yes)


def _clean(removal: Removal, *, dry_run: bool, yes: bool) -> None:
    _print_removal(removal)
    if dry_run:
        _print("Nothing is removed because of --dry-run.")
    elif yes or click.confirm("Remove these files? This cannot be undone"):
        directory = removal.directory.resolve()
        removal()
        left = ", and kept the other files" if removal.unknown_files else ""
        _print(f"Removed the experiment in {directory}{left}.")


def _print_removal(removal: Removal) -> None:
    if removal.running:
        _print(f"stop the Prometheus on {removal.manifest.url}")
    for file in removal.own_files:
        _print(f"remove {file}")
    for file in removal.unknown_files:
        _print(f"keep {file}: not created by `experiment init`")


def _print(text: str) -> None:
    print_text(printable(text))  # names of files may have any character
