"""``dualmetrics demo``: two apps with killed workers, and the same numbers on the page and by OTLP."""

from __future__ import annotations

import click

from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.exit_statuses import DIFFERENT, INTERRUPTED, CommandError
from dualmetrics.cli.parameter_types import COLLECTOR_URL
from dualmetrics.cli.signals import StopSignal, raise_on_stop


@click.command("demo", short_help="Run the examples, kill workers, and compare page and push.")
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=40,
    show_default=True,
    help="How often each kind of request is sent.",
)
@click.option(
    "--endpoint", type=COLLECTOR_URL, help="Push to this Collector instead of the embedded receiver."
)
@click.option("--keep", is_flag=True, help="Keep everything running at the end, until Ctrl-C.")
def demo_command(rounds: int, endpoint: str | None, keep: bool) -> None:
    """Run the examples on real servers, kill workers, and compare what was sent, exposed and received.

    Exit status: 0 all numbers are equal, 1 some differ, 5 a server or the endpoint does not work.
    """
    from dualmetrics.cli.demo_run import Demo
    from dualmetrics.cli.demo_servers import DemoError
    from dualmetrics.workers import group_directory

    console = PlainConsole()
    try:
        with raise_on_stop():
            equal = Demo(console, endpoint).run(rounds, keep=keep)
    except StopSignal:
        console.print("stopped")
        raise SystemExit(INTERRUPTED) from None
    except DemoError as error:
        raise CommandError(str(error)) from error
    finally:
        group_directory.sweep_stale_groups()
    if not equal:
        raise SystemExit(DIFFERENT)
