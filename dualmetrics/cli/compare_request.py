"""From the options of ``dualmetrics compare`` to a comparison."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dualmetrics.cli.comparison_wait import DeclaredTime, Looks, wait_for_verdict
from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.parameter_types import NOW
from dualmetrics.experiments.comparison import Comparison, first_sample_time, resolve_names
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.errors import TooEarlyError, UsageError
from dualmetrics.experiments.gate_specs import (
    GateSpec,
    host_spec,
    parse_histogram,
    parse_ratio,
)
from dualmetrics.experiments.gates import Margins
from dualmetrics.experiments.question import Question
from dualmetrics.experiments.setup.manifest import Manifest
from dualmetrics.experiments.several_variants import Variants, compare_variants
from dualmetrics.experiments.sources.pages import Pages
from dualmetrics.experiments.sources.prometheus import Prometheus
from dualmetrics.experiments.sources.source import Source
from dualmetrics.experiments.window import Window

Options = dict[str, Any]
WATCH_SECONDS, INTERVAL_SECONDS = 600.0, 5.0
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

CONFLICTS = (
    ("pages", "prometheus", "--pages and --prometheus"),
    ("pages", "start", "--pages and --start: pages have no past"),
    ("pages", "end", "--pages and --end"),
    ("pages", "duration", "--pages and --duration; --watch says how long the pages are watched"),
    ("pages", "sequential", "--pages and --sequential: watching the pages is a single look"),
    ("pages", "aa", "--pages and --aa: there are two pages"),
    ("pages", "ramp", "--pages and --ramp"),
    ("pages", "wait", "--pages and --wait; --watch says how long the pages are watched"),
    ("end", "duration", "--end and --duration"),
    ("split", "ramp", "--split and --ramp"),
)
"""Two options that cannot be given together, and the message."""


def run_comparison(options: Options, console: PlainConsole) -> list[Comparison]:
    """Compare each candidate as the options say. Raises an `ExperimentError` if that is not possible."""
    _check_conflicts(options)
    if options["pages"]:
        return _compare_pages(options, console)
    options = _with_manifest(options)
    question = _question(options)
    variants = _variants(options)
    if not options["prometheus"] or not options["experiment"]:
        raise UsageError("Name an experiment and a server (--prometheus URL), or two pages (--pages).")
    source = Prometheus(options["prometheus"], options["experiment"], headers=_headers(options["headers"]))
    looks = _looks(source, question, variants, options)
    if options["wait"]:
        return wait_for_verdict(looks, console)
    return looks.compare(looks.declare())


def _looks(source: Source, question: Question, variants: Variants, options: Options) -> Looks:
    if options["wait"] and options["duration"] is None and options["end"] is None:
        raise UsageError(
            "--wait needs a declared end: give --duration or --end, or the directory of an experiment."
        )

    def look(declared: DeclaredTime) -> list[Comparison]:
        window = _window(declared, options["warmup"])
        return compare_variants(source, window, question, variants, options["experiment"])

    return Looks(
        declare=lambda: _declared_time(source, question, options),
        compare=look,
        now=source.now,
        interval=options["interval"],
    )


def _check_conflicts(options: Options) -> None:
    for first, second, message in CONFLICTS:
        if _given(options[first]) and _given(options[second]):
            raise UsageError(f"These options cannot be combined: {message}.")
    if options["watch"] is not None and not options["pages"]:
        raise UsageError("--watch can be used only with --pages.")
    if options["interval"] is not None and not (options["pages"] or options["wait"]):
        raise UsageError("--interval can be used only with --pages or --wait.")


def _given(value: object) -> bool:
    """Return whether an option was given. 0 is a value."""
    return value is not None and value is not False and value != ""


def _question(options: Options) -> Question:
    names = {
        "requests": options["requests"],
        "duration": options["durations"],
        "status": options["status_label"],
        "route": options["route_label"],
    }
    return Question(
        baseline=options["baseline"],
        candidate=options["candidates"][0],
        margins=Margins(
            options["errors"], options["latency"], options["slow"], options["alpha"], options["assume_iid"]
        ),
        quantiles=tuple(options["quantiles"]) or (() if options["slo"] else (0.95, 0.99)),
        slo=tuple(options["slo"]),
        by_route=bool(options["by"]),
        gate_routes=options["gate_routes"],
        sequential=options["sequential"] or options["wait"],
        error_status=options["error_status"],
        names=tuple(names.items()),
        gates=tuple(_gates(options)),
    )


def _gates(options: Options) -> Iterator[GateSpec]:
    yield from map(parse_ratio, options["ratios"])
    yield from map(parse_histogram, options["histograms"])
    for name, kind in (("cpu", "CPU"), ("memory", "memory")):
        if options[name] is not None:
            yield host_spec(kind, options[name])


def _variants(options: Options) -> Variants:
    """Return the variants with the split of the traffic, as it is after the warm-up."""
    left, splits = options["warmup"], []
    for parts, seconds in options["ramp"] or options["split"] or ():
        skipped = min(left, seconds)
        left -= skipped
        if seconds > skipped:
            splits.append((parts, seconds - skipped))
    return Variants(tuple(options["candidates"]), options["aa"], tuple(splits))


def _with_manifest(options: Options) -> Options:
    """Fill in what the manifest declares, if the experiment is a directory. Options that are given win."""
    manifest = Manifest.find(options["experiment"])
    if manifest is None:
        return options
    duration = None if options["end"] is not None else manifest.duration
    split = (((1 - manifest.split, manifest.split), inf),)
    two = not options["ramp"] and not options["aa"] and len(options["candidates"]) == 1
    declared = {
        "prometheus": manifest.url,
        "duration": duration,
        "split": split if two else None,
    }
    given = {name: options[name] for name in declared if options[name] is not None}
    return {**options, **declared, **given, "experiment": manifest.name}


def _declared_time(source: Source, question: Question, options: Options) -> DeclaredTime:
    now = source.now()
    start, end = (now if options[name] == NOW else options[name] for name in ("start", "end"))
    if start is None:
        start = first_sample_time(source, now, question)
    until = now if options["duration"] is None else start + options["duration"]
    return DeclaredTime(start, until if end is None else end, now)


def _window(declared: DeclaredTime, warmup: float) -> Window:
    """Return the window up to now. Raises `TooEarlyError` if it has not begun, by the server's clock."""
    start, until, now = declared.start + warmup, declared.until, declared.now
    if now <= start < until:
        begins = f"begins in {format_duration(start - now)}" if now < start else "begins now"
        raise TooEarlyError(f"The window {begins}, by the clock of the server; look again later.")
    return Window(start, min(now, until), until)


def _compare_pages(options: Options, console: PlainConsole) -> list[Comparison]:
    if len(options["candidates"]) > 1:
        raise UsageError("--pages can compare only one candidate.")
    question, variants = _question(options), _variants(options)
    urls = dict(zip((question.baseline, question.candidate), options["pages"], strict=True))
    pages = Pages(urls, _headers(options["headers"]))
    _watch(pages, options, console)
    now = pages.now()
    names = resolve_names(pages.names(0, now), question)
    window = Window(pages.began(names) + options["warmup"], now, now)
    return compare_variants(pages, window, question, variants, options["experiment"])


def _watch(pages: Pages, options: Options, console: PlainConsole) -> None:
    seconds = WATCH_SECONDS if options["watch"] is None else options["watch"]
    interval = options["interval"] or INTERVAL_SECONDS
    columns = (TextColumn("watching both pages"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.wraps) as progress:
        task = progress.add_task("", total=seconds or None)
        pages.watch(seconds, interval, lambda passed: progress.update(task, completed=passed))


def _is_ascii_line(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    headers = {}
    for header in given:
        name, colon, value = header.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name.strip()) or not _is_ascii_line(value):
            raise UsageError("--header must have the form NAME:VALUE, in ASCII and on one line.")
        headers[name.strip()] = value.strip()
    return headers
