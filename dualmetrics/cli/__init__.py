"""The command ``dualmetrics``; one module a command."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    """Run the command line; without the extra ``cli`` say how to install it, and exit with 2."""
    try:
        for needed in ("click", "rich"):
            importlib.import_module(needed)
    except ModuleNotFoundError:
        sys.stderr.write('This command needs an extra: pip install "dualmetrics[cli]"\n')
        sys.exit(2)
    from dualmetrics.cli.main import dualmetrics_command

    dualmetrics_command(prog_name="dualmetrics")
