"""The commands by name; each is imported when it is asked for."""

from __future__ import annotations

import importlib

import click

COMMANDS = ("compare", "demo", "experiment", "plan", "receive")


class Commands(click.Group):
    """Finds the command NAME in the module ``dualmetrics.cli.NAME``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, as the help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if there is no such one."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dualmetrics.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(cls=Commands)
@click.version_option(package_name="dualmetrics")
def dualmetrics_command() -> None:
    """One recording, two exports: a Prometheus page and an OTLP push of the same, exact numbers."""
