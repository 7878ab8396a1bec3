"""``dualmetrics plan``: estimate how long an experiment must run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dualmetrics.cli.compare import option
from dualmetrics.cli.console import PlainConsole, make_table
from dualmetrics.cli.experiment_errors import experiment_errors
from dualmetrics.cli.parameter_types import SHARE, SPLIT

if TYPE_CHECKING:
    from dualmetrics.experiments.planning import Plan


@click.command("plan", short_help="Estimate how long an experiment must run.")
@option("--rate", type=float, required=True, help="The requests per second of both variants together.")
@option("--error-ratio", type=SHARE, required=True, help="The present share of errors, for example 0.5%.")
@option("--errors", type=SHARE, default="0.1%", help="The difference of error ratios to detect or exclude.")
@option("--latency", type=SHARE, default="10%", help="The slowdown to detect or exclude.")
@option("--split", type=SPLIT, default="50:50", help="The traffic of baseline:candidate.")
@option("--spread", type=float, default=0.8, help="The standard deviation of the logarithm of the latency.")
@option(
    "--phi",
    type=float,
    default=1.0,
    help="The variance of errors relative to independent errors; the report of a comparison shows it.",
)
@option("--alpha", type=SHARE, default="5%", help="The one-sided risk of error of each limit.")
@option("--power", type=SHARE, default="80%", help="The probability of an answer.")
def plan_command(**options: Any) -> None:
    """Estimate how long an experiment must run, at this traffic, to detect or exclude an effect."""
    from dualmetrics.experiments.planning import plan

    with experiment_errors():
        planned = plan(
            options["rate"],
            options["error_ratio"],
            margin=options["errors"],
            slower=options["latency"],
            split=options["split"],
            spread=options["spread"],
            phi=options["phi"],
            alpha=options["alpha"],
            power=options["power"],
        )
    _print_plan(planned, options)


def _print_plan(planned: Plan, options: dict[str, Any]) -> None:
    from dualmetrics.experiments.durations import format_duration
    from dualmetrics.experiments.planning import smallest_visible_difference

    table = make_table("gate", "effect", "needed")
    table.add_row("error ratio", f"{options['errors'] * 100:g} points", format_duration(planned.errors))
    for q, seconds in planned.latency.items():
        table.add_row(f"p{q * 100:g}", f"{options['latency'] * 100:g} % slower", format_duration(seconds))
    table.add_row("10 blocks of 2 scrapes each", "", format_duration(planned.least))
    console = PlainConsole()
    console.print(table)
    console.print(f"all gates: {format_duration(planned.seconds)}")
    smallest = smallest_visible_difference(
        planned.seconds, options["rate"], options["error_ratio"], options["split"], options["phi"]
    )
    console.print(f"By then, an error ratio that is higher by {smallest * 100:.3g} points is detected.")
