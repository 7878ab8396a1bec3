"""``dualmetrics experiment``: set one up, look at it, remove it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dualmetrics.cli.compare import option
from dualmetrics.cli.parameter_types import DURATION, SPLIT
from dualmetrics.cli.requirements import needs_experiments

HERE = click.Path(file_okay=False, exists=True, path_type=Path)


@click.group("experiment")
def experiment_command() -> None:
    """Set up an experiment with two variants, look at it, and remove it."""
    needs_experiments()


@experiment_command.command("init")
@click.argument("name")
@option("--in", "parent", type=HERE, default=".", help="Where its directory is made.")
@option("--duration", type=DURATION, default="24h", help="The declared length.")
@option("--split", type=SPLIT, default="50:50", help="The declared traffic, baseline:candidate.")
@option("--baseline", default="127.0.0.1:8001", help="Where the baseline's page is.")
@option("--candidate", default="127.0.0.1:8002", help="Where the candidate's page is.")
@option("--port", type=click.IntRange(1, 65535), default=9090, help="The port of its Prometheus.")
def init(
    name: str, parent: Path, duration: float, split: float, baseline: str, candidate: str, port: int
) -> None:
    """Make a directory with all that the experiment NAME needs, and a page that says what to do next."""
    from dualmetrics.experiments.setup.directory import create_directory
    from dualmetrics.experiments.setup.manifest import Manifest

    def made() -> None:
        manifest = Manifest(name, time.time(), duration, split, port, baseline, candidate)
        directory = create_directory(parent, manifest)
        click.echo(f"{directory} is made; {directory / 'NEXT.md'} says what to do next.")

    _refusing(made)


@experiment_command.command("status")
@click.argument("directory", type=click.Path(path_type=Path))
def status(directory: Path) -> None:
    """Say what is up, since when, how large it is, and how long until the declared end."""
    from dualmetrics.cli.experiment_output import print_status
    from dualmetrics.experiments.setup.status import read_status as found

    _refusing(lambda: print_status(found(directory), Console()))


@experiment_command.command("clean")
@click.argument("name", required=False)
@option(
    "--mode", type=click.Choice(["directory", "delete-series"]), default="directory", help="What is removed."
)
@option("--prometheus", "url", metavar="URL", help="The server, for --mode delete-series.")
@option("--expired", is_flag=True, help="All experiments whose end is over by 7 days, instead of NAME.")
@option("--in", "parent", type=HERE, default=".", help="Where --expired looks for them.")
@option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@option("--yes", is_flag=True, help="Do not ask.")
def clean(**options: Any) -> None:
    """Remove an experiment: the directory NAME with its Prometheus, or the series of NAME in a shared one."""
    from dualmetrics.cli.experiment_output import clean_experiments

    _refusing(lambda: clean_experiments(options))


def _refusing(action: Callable[[], None]) -> None:
    from dualmetrics.experiments.errors import ExperimentError

    try:
        action()
    except ExperimentError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(error.status) from None
    except OSError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(4) from None
