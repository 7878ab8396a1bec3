"""The commands by name. A command's module is imported only when the command is used."""

from __future__ import annotations

import importlib

import click

COMMANDS = ("compare", "demo", "experiment", "plan", "receive")


class Commands(click.Group):
    """Finds the command NAME as ``NAME_command`` in the module ``dualmetrics.cli.NAME``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names in the order in which the help shows them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command. Returns None if there is no command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dualmetrics.cli.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=Commands)
@click.version_option(package_name="dualmetrics")
def dualmetrics_command() -> None:
    """Record metrics once, export the same exact numbers twice: as a Prometheus page and by OTLP push."""
