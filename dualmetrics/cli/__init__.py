"""The command ``dualmetrics``; one module a command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without the extra ``cli`` say how to install it, and exit with 2."""
    try:
        from dualmetrics.cli.main import command
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("click", "rich"):
            raise
        sys.stderr.write('This command needs an extra: pip install "dualmetrics[cli]"\n')
        sys.exit(2)
    command(prog_name="dualmetrics")
