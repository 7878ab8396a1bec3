"""``dualmetrics run``: run a command so that the web apps in it record, without a change to them."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click

import dualmetrics_zero_code
from dualmetrics import SettingsError
from dualmetrics.cli.exit_statuses import NOT_EXECUTABLE, NOT_FOUND, CommandError
from dualmetrics.config.loading import load_settings

PYTHONPATH = "PYTHONPATH"


@click.command(
    "run",
    short_help="Run a command whose web apps record.",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGS]...")
def run_command(command: tuple[str, ...]) -> None:
    """Run COMMAND, such as gunicorn app:app. The web apps in it are recorded without a change to them.

    The settings are those of the environment: PROMETHEUS_PATH has the path of the metrics page. COMMAND takes
    the place of this process, so it gets all signals, and its exit status is that of this command.
    """
    try:
        load_settings()
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    program = _find(command[0])
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores them, which the command would inherit
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        # Python looks for its environment where the name of the command is found.
        os.execve(program, [program, *command[1:]], _environment(os.environ))  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise CommandError(f"{program}: {error.strerror}", NOT_EXECUTABLE) from error


def _find(name: str) -> str:
    """Find a program in the environment of this Python, which may not be activated, then as a shell does."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    found = shutil.which(name, path=path)
    if found is not None:
        return found
    if os.path.dirname(name) and os.path.exists(name):
        raise CommandError(f"{name} is not executable.", NOT_EXECUTABLE)
    raise CommandError(f"{name}: there is no such command.", NOT_FOUND)


def _environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Put the folder first in which every Python of the command finds our ``sitecustomize``."""
    folder = str(Path(dualmetrics_zero_code.__file__).parent / "site")
    before = environ.get(PYTHONPATH)
    others = [entry for entry in before.split(os.pathsep) if entry != folder] if before else []
    return {**environ, PYTHONPATH: os.pathsep.join([folder, *others])}
