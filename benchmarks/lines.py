"""``python -m benchmarks.lines``: profile our code on the request path, line by line.

Profiling slows a line down, short lines most. The output is therefore shares of the time in our code, not
times. The questions ``asgi`` and ``wsgi`` measure the time, without a profiler.
"""

from __future__ import annotations

import linecache
import operator
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from statistics import median
from typing import Any, NamedTuple

from benchmarks import peers
from benchmarks.apps import ROUTES, flask_app, starlette_app
from benchmarks.collector import COLLECTOR_ADDRESS, run_collector
from benchmarks.in_process import asgi_server, wsgi_server
from benchmarks.question import Measure

BATCHES = 30
REQUESTS = 1000
"""Requests per batch. A line's time is its median over the batches, so that interruptions do not count."""

SMALLEST_SHARE = 0.03
"""Lines below this share of the time are not printed, only counted."""

CALLS = (
    "self.app(",
    "self._send(",
    "self._receive(",
    "self._start_response(",
    "self._close_body()",
    "else self._body:",
    "self._request_type(",
    "self._send_start(",
    "self._send_end(",
    "self._record(",
    "self.template(",
    "self.namer(",
    "self._recorder.end(",
    "recorder.start()",
    "record(seconds)",
)
"""Calls of the app, the server, or a function that is profiled too. Lines with these count as no time."""

Profile = tuple[Any, Measure, list[Any]]
"""A `Telemetry`, a server of an app that records with it, and the functions between the two."""


Function = tuple[str, int, str]
"""File, first line and name."""


class Line(NamedTuple):
    """A line of code, with the time that it takes in a batch, and its executions per request."""

    time: float
    executions: float
    text: str


def main() -> None:
    """Print the profiles of both request paths."""
    with run_collector() as address:
        os.environ[COLLECTOR_ADDRESS] = address
        for name, parts in (("Starlette", starlette_path()), ("Flask", flask_path())):
            print(f"{name}: share of the time, executions per request, line\n")
            print("\n".join(profile(*parts)), flush=True)


def starlette_path() -> Profile:
    """The request path on Starlette."""
    from dualmetrics import Telemetry, asgi
    from dualmetrics.asgi import request
    from dualmetrics_starlette import DualMetrics

    telemetry, app = Telemetry(**peers.both_exports()), starlette_app(ROUTES)
    DualMetrics(app, telemetry=telemetry)
    return telemetry, asgi_server(app), [asgi.MetricsMiddleware.__call__, *_methods(request.AsgiRequest)]


def flask_path() -> Profile:
    """The request path on Flask."""
    from dualmetrics import Telemetry, wsgi
    from dualmetrics.wsgi import request
    from dualmetrics_flask import DualMetrics
    from dualmetrics_flask.rules import RuleNamer

    telemetry, app = Telemetry(**peers.both_exports()), flask_app(ROUTES)
    DualMetrics(app, telemetry=telemetry)
    functions = [wsgi.MetricsMiddleware.__call__, wsgi.note_request, RuleNamer.__call__]
    return telemetry, wsgi_server(app), [*functions, *_methods(request.WsgiRequest)]


def _methods(kind: type) -> list[Any]:
    return [member for member in vars(kind).values() if callable(member) and hasattr(member, "__code__")]


def profile(telemetry: Any, serve: Measure, functions: Iterable[Callable[..., Any]]) -> Iterator[str]:
    """The lines that a request executes, with their shares."""
    from line_profiler import LineProfiler

    serve(100)  # the first requests create the recorders
    requests = telemetry.server_metrics.by_method["GET"]
    profiler = LineProfiler()
    records = [record for record, _ in requests.shortcuts.values()]
    for function in (*functions, requests.start, *records):
        profiler.add_callable(function)
    yield from _report(_median_lines(profiler, serve))
    telemetry.shutdown()


def _median_lines(profiler: Any, serve: Measure) -> dict[Function, list[Line]]:
    """The executed lines of each function."""
    totals: dict[tuple[Function, int, int], list[int]] = defaultdict(lambda: [0])
    for batch in range(1, BATCHES + 1):
        with profiler:
            serve(REQUESTS)
        for function, timed in profiler.get_stats().timings.items():
            for number, executions, time in timed:
                totals[function, number, executions // batch].append(time)
    lines: dict[Function, list[Line]] = defaultdict(list)
    for (function, number, executions), times in sorted(totals.items()):
        text = linecache.getline(function[0], number).rstrip()
        time = 0 if any(call in text for call in CALLS) else median(map(operator.sub, times[1:], times))
        lines[function].append(Line(time, executions / REQUESTS, text))
    return lines


def _report(functions: Mapping[Function, list[Line]]) -> Iterator[str]:
    total = sum(map(_time, functions.values()))
    for (_, _, name), lines in sorted(functions.items(), key=lambda item: _time(item[1]), reverse=True):
        yield f"{_time(lines) / total:6.1%}       {name}, {len(lines)} lines"
        for line in lines:
            if line.time >= SMALLEST_SHARE * total:
                yield f"{line.time / total:6.1%} {line.executions:4.2g}  {line.text}"


def _time(lines: Iterable[Line]) -> float:
    return sum(line.time for line in lines)


if __name__ == "__main__":
    main()
