"""``python -m benchmarks.lines``: what of our code a request runs through, line by line.

A line that is watched takes longer, and the shorter it is the more. So what is printed are shares of the time
in our code, to be read beside what `asgi` and `wsgi` measure, who watch nothing.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks import peers
from benchmarks.apps import ROUTES, flask_app, starlette_app
from benchmarks.collector import COLLECTOR_ADDRESS, collector
from benchmarks.in_process import asgi_server, wsgi_server
from benchmarks.question import Measure

REQUESTS = 20_000

ELSEWHERE = (
    *(
        "self.app(",
        "self._send(",
        "self._receive(",
        "self._start_response(",
        "self._close()",
        "in self._body:",
    ),
    *(
        "_exchange(",
        "_transaction(",
        "self._start(",
        "self._finish(",
        "self._record(",
        "self._end(",
    ),
    *("self._find_route(", "self._name(", "self._requests.end(", "requests.begin()", "record(seconds)"),
)
"""What lines call that is not ours, or that has lines of its own here: such a line has no share."""


def main() -> None:
    """Print the profiles of both request paths."""
    with collector() as address:
        os.environ[COLLECTOR_ADDRESS] = address
        for name, parts in (("Starlette", starlette()), ("Flask", flask())):
            print(f"{name}: share of the time, times a request, line\n")
            print("\n".join(profile(*parts)), flush=True)


def starlette() -> tuple[Any, Measure, list[Any]]:
    """Our `Telemetry`, a server of an app that records with it, and the code in between."""
    from dualmetrics import Telemetry, asgi
    from dualmetrics.asgi import request
    from dualmetrics_starlette import DualMetrics

    telemetry, app = Telemetry(**peers.both_exports()), starlette_app(ROUTES)
    DualMetrics(app, telemetry=telemetry)
    return telemetry, asgi_server(app), [asgi.MetricsMiddleware.__call__, *_methods(request.AsgiRequest)]


def flask() -> tuple[Any, Measure, list[Any]]:
    """The same for WSGI."""
    from dualmetrics import Telemetry, wsgi
    from dualmetrics.wsgi import request
    from dualmetrics_flask import DualMetrics, rule_of

    telemetry, app = Telemetry(**peers.both_exports()), flask_app(ROUTES)
    DualMetrics(app, telemetry=telemetry)
    code = [wsgi.MetricsMiddleware.__call__, rule_of]
    return telemetry, wsgi_server(app), [*code, *_methods(request.WsgiRequest)]


def profile(telemetry: Any, serve: Measure, code: Iterable[Callable[..., Any]]) -> Iterator[str]:
    """The lines that a request runs through, each with its share."""
    from line_profiler import LineProfiler

    serve(100)  # binds the functions that add to the cells
    requests = telemetry.server_metrics.by_method["GET"]
    profiler = LineProfiler()
    for function in (*code, requests.begin, requests.leave, *requests.shortcuts.values()):
        profiler.add_callable(function)
    profiler.enable()
    serve(REQUESTS)
    profiler.disable()
    yield from _report(profiler.get_stats().timings)
    telemetry.shutdown()


def _report(timings: dict[tuple[str, int, str], list[tuple[int, int, int]]]) -> Iterator[str]:
    functions = [(name, [*_lines(file, lines)]) for (file, _, name), lines in timings.items() if lines]
    whole = sum(time for _, lines in functions for time, _, _ in lines)
    for name, lines in sorted(functions, key=_taken, reverse=True):
        yield f"{_taken((name, lines)) / whole:6.1%}       {name}"
        for time, hits, text in lines:
            share = f"{time / whole:6.1%}" if time else 6 * " "
            yield f"{share} {hits / REQUESTS:4.2g}  {text}"
        yield ""


def _lines(file: str, timed: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, str]]:
    """Time, hits and text of each line."""
    for number, hits, time in timed:
        text = linecache.getline(file, number).rstrip()
        yield (0 if any(call in text for call in ELSEWHERE) else time), hits, text


def _taken(function: tuple[str, list[tuple[int, int, str]]]) -> int:
    return sum(time for time, _, _ in function[1])


def _methods(kind: type) -> list[Any]:
    return [member for member in vars(kind).values() if callable(member) and hasattr(member, "__code__")]


if __name__ == "__main__":
    main()
