"""The commands by name. A command's module is imported only when the command is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click

from dualmetrics.cli import COMMANDS
from dualmetrics.cli.error_reports import print_error, report_failures, show_error
from dualmetrics.cli.exit_statuses import INTERRUPTED
from dualmetrics.cli.requirements import require_extra

_NEEDS = ", ".join(f"{name} ({extra})" for name, extra in COMMANDS.items() if extra != "cli")


class Commands(click.Group):
    """Finds the command NAME as ``NAME_command`` in the module ``dualmetrics.cli.NAME``.

    No error ends with the exit status of a verdict, which click's own handling of errors would do.
    """

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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse the one character that no shell can pass, and no file name can have."""
        if any("\0" in word for word in args):
            raise click.UsageError("An argument has a null character.", ctx)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, and check its extra before its arguments. Its help needs no extra."""
        name, command, rest = super().resolve_command(ctx, args)
        if name and not ctx.resilient_parsing and not {*ctx.help_option_names} & {*rest}:
            require_extra(COMMANDS[name], ctx)
        return name, command, rest

    def main(  # type: ignore[override]  # the overloads of the base class, in one
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        *,
        standalone_mode: bool = True,
        **options: Any,
    ) -> Any:
        """Run a command and exit, or return its value and raise its errors unless ``standalone_mode``."""
        run: Callable[[], Any] = partial(super().main, args, prog_name, standalone_mode=False, **options)
        if not standalone_mode:
            return run()
        try:
            status = run()
        except click.ClickException as error:
            status = show_error(error)
        except click.Abort:  # Ctrl-C, or the end of the input at a question
            print_error("stopped")
            status = INTERRUPTED
        sys.exit(status)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the options before the command's name, and report what that raises."""
        with report_failures():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, and report what it raises."""
        with report_failures(traceback=ctx.params["traceback"]):
            return super().invoke(ctx)


@click.group(cls=Commands, epilog=f"These need an extra: {_NEEDS}.")
@click.option("--traceback", is_flag=True, help="Show the traceback of an unexpected error.")
@click.version_option(package_name="dualmetrics")
def dualmetrics_command(**_options: Any) -> None:
    """Record metrics once, export the same exact numbers twice: as a Prometheus page and by OTLP push."""
