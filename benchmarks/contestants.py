"""Who is measured: each makes its app anew, in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks import floors
from benchmarks.apps import flask_app, starlette_app

Protocol = Literal["asgi", "wsgi"]

SINK = "BENCHMARK_SINK"
"""The variable with the address of a Collector that takes everything."""


@dataclass(frozen=True)
class Contestant:
    """A way to measure requests. ``packages`` are the distributions whose versions are worth telling."""

    name: str
    protocol: Protocol
    make: Callable[[], Any]
    packages: tuple[str, ...] = ()


def _starlette_with_dualmetrics() -> Any:
    from dualmetrics_starlette import DualMetrics

    app = starlette_app()
    DualMetrics(app, endpoint=os.environ[SINK], export_interval=1000)
    return app


def _flask_with_dualmetrics() -> Any:
    from dualmetrics_flask import DualMetrics

    app = flask_app()
    DualMetrics(app, endpoint=os.environ[SINK], export_interval=1000)
    return app


CONTESTANTS = (
    Contestant("bare", "asgi", starlette_app, ("starlette",)),
    Contestant("floor", "asgi", lambda: floors.asgi_floor(starlette_app(), floors.Cells())),
    Contestant("dualmetrics", "asgi", _starlette_with_dualmetrics, ("dualmetrics",)),
    Contestant("bare", "wsgi", flask_app, ("flask", "werkzeug")),
    Contestant("floor", "wsgi", lambda: floors.wsgi_floor_at_close(flask_app(), floors.Cells())),
    Contestant("floor at start", "wsgi", lambda: floors.wsgi_floor_at_start(flask_app(), floors.Cells())),
    Contestant("dualmetrics", "wsgi", _flask_with_dualmetrics, ("dualmetrics",)),
)


def find(name: str, protocol: str) -> Contestant:
    """The contestant of this name. Raises LookupError if there is none."""
    for contestant in CONTESTANTS:
        if (contestant.name, contestant.protocol) == (name, protocol):
            return contestant
    raise LookupError(f"no contestant {name!r} for {protocol}")
