"""The command ``dualmetrics``, with one module for each subcommand."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Run the command line. Without the extra ``cli``, print how to install it and exit with status 2."""
    try:
        for required in ("click", "rich"):
            importlib.import_module(required)
    except ModuleNotFoundError:
        sys.stderr.write('This command needs an extra: pip install "dualmetrics[cli]"\n')
        sys.exit(2)
    from dualmetrics.cli.commands import dualmetrics_command

    dualmetrics_command(prog_name="dualmetrics")
