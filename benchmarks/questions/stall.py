"""How long a scrape or a push of many series stops an event loop that serves requests.

The loop serves requests one after the other, in-process. A batch measures the longest time between two of
them while one page is rendered, or one push is made. The unit is the switch interval, after which a thread
that computes gives the interpreter to another thread. The bare app, without scrape and push, shows the noise
of the machine.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks import asgi_apps, peers, series
from benchmarks.apps import path, starlette_app
from benchmarks.in_process import RequestCycle, http_scope
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.series import Touch

IDLE_SECONDS = 0.1

Task = Callable[[], Awaitable[object]]
"""A scrape or a push."""


def stalls(app: Any, tasks: dict[str, Task], touch: Touch, *, with_few_changes: bool = False) -> Measure:
    """The longest stall during each task, in switch intervals, after every series has changed.

    With ``with_few_changes`` also after 1% of the series have changed, as between two scrapes of a quiet app.
    """
    loop = asyncio.new_event_loop()
    shares = {"": 1.0, ", 1% changed": 0.01} if with_few_changes else {"": 1.0}

    async def stall(task: Task, share: float) -> float:
        touch(share)
        await asyncio.sleep(0.02)
        return await longest_gap(app, task) / sys.getswitchinterval()

    async def measure() -> Values:
        return {
            name + suffix: await stall(task, share)
            for suffix, share in shares.items()
            for name, task in tasks.items()
        }

    return lambda repetitions: loop.run_until_complete(measure())


async def longest_gap(app: Any, task: Task) -> float:
    """The longest time between two requests until the task is done, in seconds."""
    scope = http_scope(path())
    running = asyncio.ensure_future(task())
    longest, before = 0.0, time.perf_counter()
    while not running.done():
        await RequestCycle(scope.copy()).run(app)
        await asyncio.sleep(0)
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    await running
    return longest


def scrape(app: Any, path: str = "/metrics") -> Task:
    """A scrape through the app, as a server would make it."""
    return lambda: RequestCycle(http_scope(path)).run(app)


def in_thread(work: Callable[[], object]) -> Task:
    """Work in a thread."""
    return lambda: asyncio.get_running_loop().run_in_executor(None, work)


def bare(count: int) -> Measure:
    def idle() -> Awaitable[object]:
        return asyncio.sleep(IDLE_SECONDS)

    return stalls(asgi_apps.bare(), {"scrape": idle, "push": idle}, lambda share: None)


def ours(count: int) -> Measure:
    from dualmetrics_starlette import DualMetrics

    telemetry, touch = series.ours(count)
    app = starlette_app()
    DualMetrics(app, telemetry=telemetry)
    tasks = {"scrape": scrape(app), "push": in_thread(lambda: telemetry.force_flush(60))}
    return stalls(app, tasks, touch, with_few_changes=True)


def _app_with_registry_page() -> Any:
    """prometheus_client's own ASGI app, mounted as its documentation says."""
    from prometheus_client import make_asgi_app
    from starlette.routing import Mount

    app = starlette_app()
    app.router.routes.insert(0, Mount("/metrics", make_asgi_app()))
    return app


def prometheus_client(count: int) -> Measure:
    touch = series.prometheus_client(count)
    app = _app_with_registry_page()
    return stalls(app, {"scrape": scrape(app, "/metrics/")}, touch)


def otel(count: int) -> Measure:
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    provider, touch = series.otel(count, PrometheusMetricReader(), peers.otlp_reader(series.DAY))
    app = _app_with_registry_page()
    tasks = {"scrape": scrape(app, "/metrics/"), "push": in_thread(lambda: provider.force_flush(60_000))}
    return stalls(OpenTelemetryMiddleware(app, meter_provider=provider), tasks, touch)


QUESTION = Question(
    "stall",
    "The longest stall of an event loop during a scrape and during a push",
    f"switch intervals of {sys.getswitchinterval() * 1000:g} ms",
    (
        Contestant("bare", bare),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("prometheus_client", prometheus_client, ("prometheus-client",), largest_case=1000),
        Contestant("OTel SDK, Prometheus and OTLP", otel, peers.OTEL, largest_case=1000),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 6, 1, (1000, 10_000)),
        "full": Effort(2, 50, 1, (1000, 10_000)),
    },
    case="series",
    floor="",
    statistics=("median", "p99", "maximum"),
)
