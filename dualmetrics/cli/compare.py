"""``dualmetrics compare``: is the candidate as good as the baseline? The exit status is the verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dualmetrics.cli.comparison_output import FORMATS, ReportFile, write_reports
from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.exit_statuses import INTERRUPTED
from dualmetrics.cli.experiment_errors import experiment_errors
from dualmetrics.cli.parameter_types import (
    DURATION,
    FACTOR,
    MOMENT,
    POINTS,
    RAMP,
    SHARE,
    SPLITS,
)
from dualmetrics.cli.streams import print_text

if TYPE_CHECKING:
    from dualmetrics.experiments.verdict import Verdict

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def option(*names: str, **settings: Any) -> Callable[[FunctionT], FunctionT]:
    """Add an option whose help shows its default."""
    return click.option(*names, show_default=True, **settings)


@click.command("compare", short_help="Compare two variants: PASS, FAIL or INCONCLUSIVE.")
@click.argument("experiment", required=False, default="")
@option(
    "--prometheus",
    metavar="URL",
    help="The Prometheus server. Default: the server of the experiment's directory.",
)
@option("--pages", nargs=2, metavar="BASELINE CANDIDATE", help="Watch two /metrics pages instead.")
@option(
    "--watch", type=DURATION, help="How long to watch the pages; 0s reads each page once.  [default: 10m]"
)
@option(
    "--interval",
    type=DURATION,
    help="The time between two reads of the pages, or two looks.  [default: 5s; with --wait a block]",
)
@option(
    "--header",
    "headers",
    multiple=True,
    metavar="NAME:VALUE",
    help="HTTP header to send with each request, for authentication (repeatable).",
)
@option("--start", type=MOMENT, help="The start of the window. Default: the experiment's first sample.")
@option(
    "--duration",
    type=DURATION,
    help="The declared length of the window. Default: that of the experiment's directory, else up to now.",
)
@option("--end", type=MOMENT, help="The declared end of the window, instead of --duration.")
@option("--warmup", type=DURATION, default="0s", help="How much to ignore at the start of the window.")
@option("--baseline", default="baseline", help="The value of the label `variant` for the baseline.")
@option(
    "--candidate",
    "candidates",
    multiple=True,
    default=["candidate"],
    help="The value of the label `variant` for the candidate (repeatable).",
)
@option("--aa", metavar="VARIANT", help="A second variant of the baseline's version; it must not differ.")
@option("--errors", type=POINTS, default="0.1%", help="The margin of the error ratio.")
@option("--latency", type=FACTOR, default="10%", help="The margin of the latency quantiles.")
@option(
    "--quantile",
    "quantiles",
    type=SHARE,
    multiple=True,
    help="A latency quantile to judge (repeatable).  [default: .95 .99]",
)
@option(
    "--slo",
    type=DURATION,
    multiple=True,
    help="Judge the share of requests slower than this, instead of quantiles (repeatable).",
)
@option("--slow", type=POINTS, default="0.5%", help="The margin of the share of slower requests.")
@option("--alpha", type=SHARE, default="5%", help="The one-sided risk of error of each limit.")
@option(
    "--ratio",
    "ratios",
    multiple=True,
    metavar="COUNTER/COUNTER[,...]",
    help="Judge a ratio of two counters, for example orders_failed/orders,margin=0.2% (repeatable).",
)
@option(
    "--histogram",
    "histograms",
    multiple=True,
    metavar="METRIC[,...]",
    help="Judge the mean of a histogram, or a quantile, for example basket_value,up=good (repeatable).",
)
@option("--cpu", type=FACTOR, help="Judge CPU seconds per request, with this margin.")
@option("--memory", type=FACTOR, help="Judge the use of memory, with this margin.")
@option(
    "--split", type=SPLITS, help="The declared traffic of baseline:candidate, in this order; it is checked."
)
@option("--ramp", type=RAMP, help="The steps of a split that moves, for example 1%@2h,10%@4h,50%.")
@option("--by", type=click.Choice(["route"]), help="Show each route too.")
@option("--gate-routes", is_flag=True, help="Let a single route make the comparison FAIL.")
@option("--sequential", is_flag=True, help="Allow any number of looks, before the declared end too.")
@option(
    "--wait",
    is_flag=True,
    help="Look again and again (--sequential) until there is a verdict or the declared end.",
)
@option("--assume-iid", is_flag=True, help="Judge errors of pages read once, assuming independent requests.")
@option(
    "--inconclusive",
    type=click.Choice(["pass", "fail"]),
    help="Exit with the status of this verdict if INCONCLUSIVE. Default: exit status 3.",
)
@option("--requests", metavar="METRIC", help="The counter of requests.")
@option("--durations", metavar="METRIC", help="The histogram of durations, without suffix.")
@option("--status-label", metavar="LABEL", help="The label that has the status code.")
@option("--route-label", metavar="LABEL", help="The label that has the route.")
@option("--error-status", default="5..", help="A regular expression for the status codes that are errors.")
@option("--format", "form", type=click.Choice(list(FORMATS)), default="text", help="The output format.")
@option(
    "--output",
    type=ReportFile(any_ending=True),
    help="Write the output to this file instead of printing it.",
)
@option(
    "--report",
    type=ReportFile(),
    multiple=True,
    help="Also write a report to this file: .html, .md, .json, .txt, or .xml for JUnit (repeatable).",
)
@option("--github-summary", is_flag=True, help="Append the report to the job summary of GitHub Actions.")
def compare_command(**options: Any) -> None:
    """Compare two variants and print PASS, FAIL or INCONCLUSIVE.

    EXPERIMENT is the value of the label `experiment`, or a directory that `experiment init` created.

    Settings of --ratio and --histogram follow commas: up=good (higher is better), margin=1%, goal (it must
    get better), factor (a ratio that is no share), quantile=.9 or above=100 (of a histogram, instead of its
    mean).

    Exit status: 0 PASS, 1 FAIL, 2 usage error, 3 INCONCLUSIVE, 4 invalid experiment, 5 source unreachable.
    """
    from dualmetrics.experiments.errors import TooEarlyError
    from dualmetrics.experiments.verdict import Verdict

    inconclusive_status = {"pass": 0, "fail": 1, None: TooEarlyError.status}[options["inconclusive"]]
    with experiment_errors():
        try:
            verdict = _compare(options)
        except TooEarlyError as error:
            print_text(f"Error: {error}", err=True)
            raise SystemExit(inconclusive_status) from None
    raise SystemExit(inconclusive_status if verdict is Verdict.INCONCLUSIVE else verdict.value)


def _compare(options: dict[str, Any]) -> Verdict:
    """Compare, write the reports, and return the verdict about all candidates."""
    from dualmetrics.cli.compare_request import run_comparison
    from dualmetrics.cli.comparison_wait import StoppedError
    from dualmetrics.experiments.several_variants import overall_verdict

    try:
        comparisons = run_comparison(options, PlainConsole(stderr=True))
    except StoppedError as stopped:
        if stopped.last:
            write_reports(stopped.last, options)
        print_text(str(stopped), err=True)
        raise SystemExit(INTERRUPTED) from None
    write_reports(comparisons, options)
    return overall_verdict([each.verdict for each in comparisons])
