"""What the commands of ``dualmetrics experiment`` say and ask."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.report.formatting import format_duration, format_time
from dualmetrics.experiments.setup.directory import find_directories
from dualmetrics.experiments.setup.removal import deletion, expired_directories, plan_removal, refuse_both
from dualmetrics.experiments.setup.status import Status


def print_status(status: Status, console: Console) -> None:
    """The state as a table."""
    table = Table(show_header=False, title=f"experiment {status.manifest.name}", title_justify="left")
    up = f"[green]up[/] since {escape(str(status.since))}" if status.up else "[red]down[/]"
    table.add_row("Prometheus", f"{up}, {status.manifest.url}")
    for variant, targets in status.targets.items():
        table.add_row(escape(variant), f"{targets} targets up")
    series = "" if status.series is None else f", {status.series} series"
    table.add_row("data", f"{status.bytes / 1e6:.3g} MB{series}")
    table.add_row("began", "unknown" if status.began is None else format_time(status.began))
    table.add_row("declared end", _end(status))
    console.print(table)


def _end(status: Status) -> str:
    if status.until is None:
        return f"{format_duration(status.manifest.duration)} after the first sample"
    left = status.until - time.time()
    return f"{format_time(status.until)}, " + (f"in {format_duration(left)}" if left > 0 else "reached")


def clean_experiments(options: dict[str, Any]) -> None:
    """Show what is to be removed, ask, remove."""
    refuse_both(options["mode"], options["url"])
    if bool(options["name"]) == options["expired"]:
        raise UsageError("Name an experiment, or say --expired.")
    if options["mode"] == "delete-series":
        if options["expired"]:
            raise UsageError("--expired finds directories; series are deleted by name.")
        _series(options)
    elif options["expired"]:
        for directory in expired_directories(list(find_directories(options["parent"])), time.time()):
            _directory(directory, options)
    else:
        _directory(Path(options["name"]), options)


def _directory(directory: Path, options: dict[str, Any]) -> None:
    found = plan_removal(directory)
    if found.running:
        click.echo(f"stop the Prometheus on {found.manifest.url}")
    for file in found.own_files:
        click.echo(f"remove {file}")
    for stranger in found.unknown_files:
        click.echo(f"keep {stranger}: not made by `experiment init`")
    if _meant(options):
        found()
        click.echo(
            f"{directory} is removed." if not found.unknown_files else f"{directory} is kept for the rest."
        )


def _series(options: dict[str, Any]) -> None:
    found = deletion(options["url"], options["name"])
    click.echo(f"{found.series} series match {found.matcher} on {options['url']}")
    if found.series and _meant(options):
        left = found()
        click.echo(
            f"{left} series remain in queries; label values stay until Prometheus restarts and compacts."
        )


def _meant(options: dict[str, Any]) -> bool:
    if options["dry_run"]:
        click.echo("nothing is removed: --dry-run")
        return False
    return bool(options["yes"] or click.confirm("Remove it for good?"))
