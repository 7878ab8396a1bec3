"""``dualmetrics compare``: is the candidate as good as the baseline; the exit status says it too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console

from dualmetrics.cli.parameter_types import DURATION, MOMENT, SHARE, SPLIT
from dualmetrics.cli.requirements import needs_experiments

if TYPE_CHECKING:
    from dualmetrics.experiments.comparison import Comparison

Function = TypeVar("Function", bound=Callable[..., Any])
FORMATS = ("text", "json", "markdown", "html")


def option(*names: str, **settings: Any) -> Callable[[Function], Function]:
    """An option that shows its default."""
    return click.option(*names, show_default=True, **settings)


@click.command("compare")
@click.argument("experiment", required=False, default="")
@option("--prometheus", metavar="URL", help="The server; else the one of the experiment's directory.")
@option("--pages", nargs=2, metavar="BASELINE CANDIDATE", help="Watch two /metrics pages instead.")
@option("--watch", type=DURATION, help="How long to watch the pages; 0s reads each once.  [default: 10m]")
@option("--interval", type=DURATION, help="Time between two looks at the pages.  [default: 5s]")
@option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="Sent along, to be let in.")
@option("--start", type=MOMENT, help="Begin of the window; else the experiment's first sample.")
@option(
    "--duration", type=DURATION, help="The declared length; else the one of the directory, or all there is."
)
@option("--end", type=MOMENT, help="The declared end, instead of --duration.")
@option("--warmup", type=DURATION, default="0s", help="Left out at the begin.")
@option("--baseline", default="baseline", help="The label `variant` of the baseline.")
@option("--candidate", default="candidate", help="The label `variant` of the candidate.")
@option("--errors", type=SHARE, default="0.1%", help="Margin of the error ratio.")
@option("--latency", type=SHARE, default="10%", help="Margin of the quantiles' factor.")
@option("--quantile", "quantiles", type=SHARE, multiple=True, help="A gate a quantile.  [default: .95 .99]")
@option("--slo", type=DURATION, multiple=True, help="Gate the share of slower requests, not quantiles.")
@option("--slow", type=SHARE, default="0.5%", help="Margin of that share.")
@option("--alpha", type=SHARE, default="5%", help="One-sided risk of a wrong limit.")
@option("--split", type=SPLIT, help="The traffic's declared baseline:candidate, to be checked.")
@option("--by", type=click.Choice(["route"]), help="Show each route too.")
@option("--gate-routes", is_flag=True, help="A single route may make it fail.")
@option("--sequential", is_flag=True, help="Look as often as you like, before the end too.")
@option("--assume-iid", is_flag=True, help="Judge errors of single looks, as if they came independently.")
@option("--inconclusive", type=click.Choice(["pass", "fail"]), help="What an open end exits as; else 3.")
@option("--requests", metavar="METRIC", help="The counter of requests.")
@option("--histogram", metavar="METRIC", help="The histogram of durations, without suffix.")
@option("--status-label", metavar="LABEL", help="Which label is the status.")
@option("--route-label", metavar="LABEL", help="Which label is the route.")
@option("--error-status", default="5..", help="Statuses that are errors: a regular expression.")
@option("--format", "form", type=click.Choice(FORMATS), default="text", help="What is printed.")
@option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write there instead.")
@option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the HTML report there too.")
def compare_command(**options: Any) -> None:
    """Compare two variants and say PASS, FAIL or INCONCLUSIVE.

    EXPERIMENT is the label, or a directory that `experiment init` made.

    Exit status: 0 PASS, 1 FAIL, 2 wrong use, 3 INCONCLUSIVE, 4 invalid experiment, 5 source unreachable.
    """
    needs_experiments()
    from dualmetrics.cli.compare_request import run_comparison
    from dualmetrics.experiments.errors import ExperimentError, TooEarlyError
    from dualmetrics.experiments.verdict import Verdict

    open_end = {"pass": 0, "fail": 1, None: TooEarlyError.status}[options["inconclusive"]]
    try:
        comparison = run_comparison(options, Console(stderr=True))
        _deliver(comparison, options)
    except ExperimentError as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(open_end if isinstance(error, TooEarlyError) else error.status) from None
    except OSError as error:
        click.echo(f"Error: the report cannot be written: {error}", err=True)
        raise SystemExit(2) from None
    raise SystemExit(open_end if comparison.verdict is Verdict.INCONCLUSIVE else comparison.verdict.value)


def _deliver(comparison: Comparison, options: dict[str, Any]) -> None:
    if options["report"]:
        options["report"].write_text(_written(comparison, "html"), encoding="utf-8")
    if options["output"]:
        options["output"].write_text(_written(comparison, options["form"]), encoding="utf-8")
    elif options["form"] == "text":
        from dualmetrics.experiments.report.terminal_report import print_report

        print_report(comparison, Console())
    else:
        click.echo(_written(comparison, options["form"]), nl=False)


def _written(comparison: Comparison, form: str) -> str:
    from dualmetrics.experiments.report import html_report, json_report, markdown_report, terminal_report

    writers = {
        "json": json_report.json_report,
        "markdown": markdown_report.markdown_report,
        "html": html_report.html_report,
        "text": terminal_report.terminal_text,
    }
    return writers[form](comparison)
