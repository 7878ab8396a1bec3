"""The command ``dualmetrics``, with one module for each subcommand."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "compare": "experiments",
    "demo": "demo",
    "experiment": "experiments",
    "plan": "experiments",
    "receive": "cli",
    "run": "cli",
}
"""The name of each command, and the extra that it needs."""


def main() -> None:
    """Run the command line. Without its extra, print how to install it and exit with status 2."""
    try:
        for required in ("click", "rich"):
            importlib.import_module(required)
    except ModuleNotFoundError:
        extra = next((COMMANDS[word] for word in sys.argv[1:] if word in COMMANDS), "cli")
        sys.stderr.write(f'This command needs an extra: pip install "dualmetrics[{extra}]"\n')
        sys.exit(2)
    from dualmetrics.cli.commands import dualmetrics_command
    from dualmetrics.cli.streams import prepare_streams

    prepare_streams()
    dualmetrics_command(prog_name="dualmetrics")
