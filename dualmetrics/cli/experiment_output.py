"""What the commands of ``dualmetrics experiment`` print and ask."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.report.formatting import format_duration, format_time
from dualmetrics.experiments.setup.directory import find_directories
from dualmetrics.experiments.setup.removal import Removal, expired_directories, plan_removal
from dualmetrics.experiments.setup.status import Status


def print_status(status: Status, console: Console) -> None:
    """Print the state as a table."""
    table = Table(show_header=False, title=f"experiment {status.manifest.name}", title_justify="left")
    up = f"[green]up[/] since {escape(str(status.since))}" if status.up else "[red]down[/]"
    table.add_row("Prometheus", f"{up}, {status.manifest.url}")
    for variant, targets in status.targets.items():
        table.add_row(escape(variant), f"{targets} targets up")
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
        click.echo("Nothing is removed because of --dry-run.")
    elif yes or click.confirm("Remove these files? This cannot be undone"):
        removal()
        directory = removal.directory
        click.echo(
            f"Kept {directory} with the other files." if removal.unknown_files else f"Removed {directory}."
        )


def _print_removal(removal: Removal) -> None:
    if removal.running:
        click.echo(f"stop the Prometheus on {removal.manifest.url}")
    for file in removal.own_files:
        click.echo(f"remove {file}")
    for file in removal.unknown_files:
        click.echo(f"keep {file}: not created by `experiment init`")
