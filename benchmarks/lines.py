"""``python -m benchmarks.lines``: profile our code on the request path, line by line.

Profiling slows a line down, short lines most. The output is therefore shares of the time in our code, not
times. The questions ``asgi`` and ``wsgi`` measure the time, without a profiler.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from benchmarks import peers
from benchmarks.apps import ROUTES, flask_app, starlette_app
from benchmarks.collector import COLLECTOR_ADDRESS, run_collector
from benchmarks.in_process import asgi_server, wsgi_server
from benchmarks.question import Measure

REQUESTS = 20_000

SMALLEST_SHARE = 0.02
"""Lines below this share of the time are not printed, only counted."""

CALLS = (
    "self.app(",
    "self._send(",
    "self._receive(",
    "self._start_response(",
    "self._close()",
    "in self._body:",
    "_request(",
    "self._start(",
    "self._finish(",
    "self._record(",
    "self._end(",
    "self._find_route(",
    "self._name(",
    "self._requests.end(",
    "requests.start()",
    "record(seconds)",
)
"""Calls of the app, the server, or a function that is profiled too. Lines with these count as no time."""

Profile = tuple[Any, Measure, list[Any]]
"""A `Telemetry`, a server of an app that records with it, and the functions between the two."""


class Line(NamedTuple):
    """A line of code, with how long all its executions took, and how many there were."""

    time: int
    executions: int
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
    from dualmetrics_flask import DualMetrics, rule_of

    telemetry, app = Telemetry(**peers.both_exports()), flask_app(ROUTES)
    DualMetrics(app, telemetry=telemetry)
    functions = [wsgi.MetricsMiddleware.__call__, rule_of]
    return telemetry, wsgi_server(app), [*functions, *_methods(request.WsgiRequest)]


def _methods(kind: type) -> list[Any]:
    return [member for member in vars(kind).values() if callable(member) and hasattr(member, "__code__")]


def profile(telemetry: Any, serve: Measure, functions: Iterable[Callable[..., Any]]) -> Iterator[str]:
    """The lines that a request executes, with their shares."""
    from line_profiler import LineProfiler

    serve(100)  # the first requests create the recorders
    requests = telemetry.server_metrics.by_method["GET"]
    profiler = LineProfiler()
    for function in (*functions, requests.start, *requests.shortcuts.values()):
        profiler.add_callable(function)
    profiler.enable()
    serve(REQUESTS)
    profiler.disable()
    yield from _report(profiler.get_stats().timings)
    telemetry.shutdown()


def _report(timings: dict[tuple[str, int, str], list[tuple[int, int, int]]]) -> Iterator[str]:
    functions = [(name, [*_lines(file, timed)]) for (file, _, name), timed in timings.items() if timed]
    total = sum(line.time for _, lines in functions for line in lines)
    for name, lines in sorted(functions, key=lambda function: _time(function[1]), reverse=True):
        large = [line for line in lines if line.time >= SMALLEST_SHARE * total]
        yield f"{_time(lines) / total:6.1%}       {name}, {len(lines)} lines"
        for line in large:
            yield f"{line.time / total:6.1%} {line.executions / REQUESTS:4.2g}  {line.text}"


def _lines(file: str, timed: list[tuple[int, int, int]]) -> Iterator[Line]:
    for number, executions, time in timed:
        text = linecache.getline(file, number).rstrip()
        yield Line(0 if any(call in text for call in CALLS) else time, executions, text)


def _time(lines: Iterable[Line]) -> int:
    return sum(line.time for line in lines)


if __name__ == "__main__":
    main()
