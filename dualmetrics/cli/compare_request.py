"""From the options of ``dualmetrics compare`` to a comparison."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dualmetrics.experiments.comparison import Comparison, compare, resolve_names
from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gates import Margins
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.setup.manifest import Manifest
from dualmetrics.experiments.sources.pages import Pages
from dualmetrics.experiments.sources.prometheus import Prometheus
from dualmetrics.experiments.sources.source import Source
from dualmetrics.experiments.window import Window

Options = dict[str, Any]
WATCH, INTERVAL = 600.0, 5.0


def run_comparison(options: Options, console: Console) -> Comparison:
    """Compare as the options say. Raises an `ExperimentError` where that cannot be done."""
    _refuse_overlaps(options)
    if options["pages"]:
        return _watched(options, console)
    options = _with_manifest(options)
    question = _question(options)
    if not options["prometheus"] or not options["experiment"]:
        raise UsageError("Name an experiment and a server (--prometheus URL), or two pages (--pages).")
    source = Prometheus(options["prometheus"], options["experiment"], headers=_headers(options["headers"]))
    window = _window(source, question, options)
    return compare(source, window, question, options["experiment"])


def _refuse_overlaps(options: Options) -> None:
    for one, other, both in (
        ("pages", "prometheus", "--pages and --prometheus"),
        ("pages", "start", "--pages and --start: pages have no past"),
        ("pages", "end", "--pages and --end"),
        ("pages", "sequential", "--pages and --sequential: the watch is one look"),
        ("end", "duration", "--end and --duration"),
    ):
        if options[one] and options[other]:
            raise UsageError(f"Not both: {both}.")
    for name in ("watch", "interval"):
        if options[name] is not None and not options["pages"]:
            raise UsageError(f"--{name} goes with --pages.")


def _question(options: Options) -> Question:
    names = {
        "requests": options["requests"],
        "duration": options["histogram"],
        "status": options["status_label"],
        "route": options["route_label"],
    }
    return Question(
        baseline=options["baseline"],
        candidate=options["candidate"],
        margins=Margins(
            options["errors"], options["latency"], options["slow"], options["alpha"], options["assume_iid"]
        ),
        quantiles=tuple(options["quantiles"]) or (() if options["slo"] else (0.95, 0.99)),
        slo=tuple(options["slo"]),
        by_route=bool(options["by"]),
        gate_routes=options["gate_routes"],
        sequential=options["sequential"],
        split=options["split"],
        error_status=options["error_status"],
        names=tuple(names.items()),
    )


def _with_manifest(options: Options) -> Options:
    """Where the experiment is a directory: what it says, unless an option says otherwise."""
    manifest = Manifest.find(options["experiment"])
    if manifest is None:
        return options
    length = None if options["end"] else manifest.duration
    said = {"prometheus": manifest.url, "duration": length, "split": manifest.split}
    given = {name: options[name] for name in said if options[name] is not None}
    return {**options, **said, **given, "experiment": manifest.name}


def _window(source: Source, question: Question, options: Options) -> Window:
    now = source.now()
    start = options["start"]
    if start is None:
        start = source.began(resolve_names(source, Window(now - 7 * 86400.0, now, now), question))
    until = options["end"] or (start + options["duration"] if options["duration"] else now)
    return Window(start + options["warmup"], min(now, until), until)


def _watched(options: Options, console: Console) -> Comparison:
    question = _question(options)
    seconds = WATCH if options["watch"] is None else options["watch"]
    urls = dict(zip((question.baseline, question.candidate), options["pages"], strict=True))
    pages = Pages(urls, _headers(options["headers"]))
    columns = (TextColumn("watching both pages"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=seconds or None)
        pages.watch(
            seconds, options["interval"] or INTERVAL, lambda over: progress.update(task, completed=over)
        )
    now = pages.now()
    window = Window(
        pages.began(resolve_names(pages, Window(0, now, now), question)) + options["warmup"], now, now
    )
    return compare(pages, window, question, options["experiment"])


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for header in given:
        name, colon, value = header.partition(":")
        if not colon:
            raise UsageError("--header is written NAME:VALUE.")
        found[name.strip()] = value.strip()
    return found
