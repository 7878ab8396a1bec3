"""``dualmetrics plan``: how long until one may know."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from dualmetrics.cli.compare import option
from dualmetrics.cli.parameter_types import SHARE, SPLIT
from dualmetrics.cli.requirements import needs_experiments


@click.command("plan")
@option("--rate", type=float, required=True, help="Requests a second, both variants together.")
@option("--error-ratio", type=SHARE, required=True, help="The share of errors now, as 0.5%.")
@option("--errors", type=SHARE, default="0.1%", help="The difference to be seen, or excluded.")
@option("--latency", type=SHARE, default="10%", help="The slow-down to be seen, or excluded.")
@option("--split", type=SPLIT, default="50:50", help="baseline:candidate.")
@option("--spread", type=float, default=0.8, help="Standard deviation of the logarithm of latency.")
@option(
    "--phi", type=float, default=1.0, help="How much more than by chance errors vary; a comparison shows it."
)
@option("--alpha", type=SHARE, default="5%", help="One-sided risk of an error.")
@option("--power", type=SHARE, default="80%", help="Chance of an answer.")
def plan_command(
    rate: float,
    error_ratio: float,
    errors: float,
    latency: float,
    split: float,
    spread: float,
    phi: float,
    alpha: float,
    power: float,
) -> None:
    """Say how long an experiment must run, at this traffic, until an effect is seen or excluded."""
    needs_experiments()
    from dualmetrics.experiments.errors import ExperimentError
    from dualmetrics.experiments.planning import plan, smallest_visible_difference
    from dualmetrics.experiments.report.formatting import format_duration

    try:
        found = plan(
            rate,
            error_ratio,
            margin=errors,
            slower=latency,
            split=split,
            spread=spread,
            phi=phi,
            alpha=alpha,
            power=power,
        )
    except ExperimentError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(error.status) from None
    table = Table("gate", "effect", "needed")
    table.add_row("error ratio", f"{errors * 100:g} points", format_duration(found.errors))
    for q, seconds in found.latency.items():
        table.add_row(f"p{q * 100:g}", f"{latency * 100:g} % slower", format_duration(seconds))
    table.add_row("ten blocks of two scrapes", "", format_duration(found.least))
    console = Console()
    console.print(table)
    console.print(f"all gates: [bold]{format_duration(found.seconds)}[/]")
    smallest = smallest_visible_difference(found.seconds, rate, error_ratio, split, phi)
    console.print(f"by then an error ratio higher by {smallest * 100:.3g} points is seen")
