"""``dualmetrics experiment``: set up an experiment, look at it, remove it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from dualmetrics.cli.compare import option
from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.exit_statuses import FAILED
from dualmetrics.cli.experiment_errors import experiment_errors, file_errors
from dualmetrics.cli.parameter_types import DURATION, SPLIT
from dualmetrics.cli.streams import print_text
from dualmetrics.runtime.printable import printable

EXISTING_DIRECTORY = click.Path(file_okay=False, exists=True, path_type=Path)


@click.group("experiment", short_help="Set up, inspect and remove an experiment.")
def experiment_command() -> None:
    """Set up an experiment with two variants, show its status, and remove it."""


@experiment_command.command("init", short_help="Create the directory of an experiment.")
@click.argument("name")
@option("--in", "parent", type=EXISTING_DIRECTORY, default=".", help="Where to create the directory.")
@option("--duration", type=DURATION, default="24h", help="The declared length.")
@option("--split", type=SPLIT, default="50:50", help="The declared traffic of baseline:candidate.")
@option("--baseline", default="127.0.0.1:8001", help="The address of the baseline's metrics page.")
@option("--candidate", default="127.0.0.1:8002", help="The address of the candidate's metrics page.")
@option(
    "--port", type=click.IntRange(1, 65535), default=9090, help="The port of the experiment's Prometheus."
)
def init_command(parent: Path, **fields: Any) -> None:
    """Create a directory with everything that the experiment NAME needs, and a page with the next steps."""
    from dualmetrics.experiments.setup.directory import create_directory
    from dualmetrics.experiments.setup.manifest import Manifest

    with experiment_errors(), file_errors("A file of the experiment cannot be used", FAILED):
        directory = create_directory(parent, Manifest(created=time.time(), **fields))
        print_text(printable(f"Created {directory}; see {directory / 'NEXT.md'} for the next steps."))


@experiment_command.command("status", short_help="Show the state of an experiment.")
@click.argument("directory", type=click.Path(path_type=Path))
def status_command(directory: Path) -> None:
    """Show what is up and since when, the size of the data, and the time until the declared end."""
    from dualmetrics.cli.experiment_output import print_status
    from dualmetrics.experiments.setup.status import read_status

    with experiment_errors(), file_errors("A file of the experiment cannot be used", FAILED):
        print_status(read_status(directory), PlainConsole())


@experiment_command.command("clean", short_help="Stop and remove an experiment.")
@click.argument("name", required=False)
@option(
    "--expired", is_flag=True, help="Remove all experiments that ended more than 7 days ago, instead of NAME."
)
@option("--in", "parent", type=EXISTING_DIRECTORY, default=".", help="Where --expired looks for experiments.")
@option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@option("--yes", is_flag=True, help="Do not ask for confirmation.")
def clean_command(**options: Any) -> None:
    """Stop the Prometheus of an experiment and remove the experiment's directory NAME."""
    from dualmetrics.cli.experiment_output import clean_experiments

    with experiment_errors(), file_errors("A file of the experiment cannot be used", FAILED):
        clean_experiments(**options)
