"""How long a scrape and a push of many series stop an event loop that serves requests.

The loop serves requests one after the other, in-process; the longest time between two of them, while one
page is made or one push goes out, is a batch. The switch interval is how long a thread that computes
keeps the interpreter from the others. The bare app, with neither, shows what the machine itself does.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import asgi_apps, peers, series
from benchmarks.apps import path, starlette_app
from benchmarks.in_process import Cycle, http_scope
from benchmarks.question import Contestant, Effort, Measure, Question, Values

Duty = Callable[[], Awaitable[object]]
IDLE = 0.1  # seconds


def stalls(
    app: Any, duties: dict[str, Duty], touch: Callable[[float], object], *, quiet: bool = False
) -> Measure:
    """The longest stall during each duty, in switch intervals, after every series has changed.

    With ``quiet`` also where few have, as it is between two scrapes of an app with many.
    """
    loop = asyncio.new_event_loop()
    shares = {"": 1.0, ", 1% changed": 0.01} if quiet else {"": 1.0}

    async def measure() -> Values:
        found = {}
        for words, share in shares.items():
            for name, duty in duties.items():
                touch(share)
                await asyncio.sleep(0.02)
                found[name + words] = await longest(app, duty) / sys.getswitchinterval()
        return found

    return lambda amount: loop.run_until_complete(measure())


async def longest(app: Any, duty: Duty) -> float:
    """Seconds between two requests, at most, until the duty is done."""
    scope = http_scope(path())
    task = asyncio.ensure_future(duty())
    worst, before = 0.0, time.perf_counter()
    while not task.done():
        await Cycle(scope.copy()).run(app)
        await asyncio.sleep(0)
        now = time.perf_counter()
        worst, before = max(worst, now - before), now
    await task
    return worst


def scrape(app: Any, asked: str = "/metrics") -> Duty:
    """A scrape through the app, as a server would pass it on."""
    return lambda: Cycle(http_scope(asked)).run(app)


def in_thread(work: Callable[[], object]) -> Duty:
    """Something that a thread does."""
    return lambda: asyncio.get_running_loop().run_in_executor(None, work)


def bare(count: int) -> Measure:
    idle: Duty = lambda: asyncio.sleep(IDLE)  # noqa: E731
    return stalls(asgi_apps.bare(), {"scrape": idle, "push": idle}, lambda share: None)


def ours(count: int) -> Measure:
    from dualmetrics_starlette import DualMetrics

    telemetry, touch = series.ours(count)
    app = starlette_app()
    DualMetrics(app, telemetry=telemetry)
    duties = {"scrape": scrape(app), "push": in_thread(lambda: telemetry.force_flush(60))}
    return stalls(app, duties, touch, quiet=True)


def prometheus_client(count: int) -> Measure:
    """Its own ASGI app, mounted as its documentation says."""
    from prometheus_client import make_asgi_app
    from starlette.routing import Mount

    touch = series.prometheus_client(count)
    app = starlette_app()
    app.router.routes.insert(0, Mount("/metrics", make_asgi_app()))
    return stalls(app, {"scrape": scrape(app, "/metrics/")}, touch)


def otel(count: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from prometheus_client import make_asgi_app
    from starlette.routing import Mount

    provider, touch = series.otel(count, PrometheusMetricReader(), peers.otlp_reader(series.DAY))
    app = starlette_app()
    app.router.routes.insert(0, Mount("/metrics", make_asgi_app()))
    measured = OpenTelemetryMiddleware(app, meter_provider=provider)
    duties: dict[str, Duty] = {
        "scrape": scrape(app, "/metrics/"),
        "push": in_thread(lambda: provider.force_flush(60_000)),
    }
    return stalls(measured, duties, touch)


QUESTION = Question(
    "stall",
    "The longest stall of an event loop during a scrape and during a push",
    f"switch intervals of {sys.getswitchinterval() * 1000:g} ms",
    (
        Contestant("bare", bare),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",), most=1000),
        Contestant("OTel SDK, Prometheus and OTLP", otel, peers.OTEL, most=1000),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 6, 1, (1000, 10_000)),
        "full": Effort(2, 50, 1, (1000, 10_000)),
    },
    case="label sets",
    floor="",
    shown=("median", "p99", "maximum"),
)
