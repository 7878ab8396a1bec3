"""The exit statuses of all commands.

0, 1 and 3 are verdicts, which no failure has, and 4 is an invalid experiment; see docs/experiments.md. 2 is
a usage error, as click has it.
"""

from __future__ import annotations

import click

from dualmetrics.runtime.printable import printable

DIFFERENT = 1
"""The demo's verdict that numbers differ. 1 is also FAIL, the verdict of a comparison."""
FAILED = 5
"""Something outside cannot be used: a server does not answer, a port is taken, a file cannot be written."""
UNEXPECTED = 70
"""A bug of ours. It is EX_SOFTWARE of sysexits.h."""
NOT_EXECUTABLE = 126
NOT_FOUND = 127
"""`dualmetrics run` cannot execute the command, or does not find it, as shells report it."""
INTERRUPTED = 130
"""Ctrl-C or SIGTERM, as shells report the former."""
OUTPUT_CLOSED = 141
"""Nobody reads the output any more, as shells report SIGPIPE."""


class CommandError(click.ClickException):
    """The command cannot do its work. The message is one sentence for the user."""

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(printable(message))
        self.status = status
