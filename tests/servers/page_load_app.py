"""An ASGI app with a large page, which tells how the page weighs on it.

A rendering takes ``RENDERING_SECONDS`` longer than it has to.
"""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import Telemetry
from dualmetrics.asgi import MetricsMiddleware, Receive, Scope, Send

RENDERING_SECONDS = float(os.environ.get("RENDERING_SECONDS", "0"))
SERIES = 3500

telemetry = Telemetry(metrics_exporter="prometheus", cardinality_limit=2 * SERIES)
renderings = 0
longest_hold = 0.0


def count_rendering(options: CallbackOptions) -> Iterable[Observation]:
    """Observe how often a page was rendered."""
    global renderings
    renderings += 1
    time.sleep(RENDERING_SECONDS)
    return [Observation(renderings)]


async def watch_loop() -> None:
    """Measure how long others hold the event loop: in processor time, whatever else the machine does."""
    global longest_hold
    while True:
        before = time.thread_time()
        await asyncio.sleep(0.001)
        longest_hold = max(longest_hold, time.thread_time() - before)


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer ``/load`` with what was seen so far, and everything else with nothing."""
    if scope["type"] == "lifespan":
        return await live(receive, send)
    body = b""
    if scope["path"] == "/load":
        body = seen()
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


def seen() -> bytes:
    """What was seen so far: renderings, threads, the longest hold in seconds, the most memory in bytes."""
    memory = 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    threads = threading.active_count()
    values = {"renderings": renderings, "hold": longest_hold, "threads": threads, "memory": memory}
    return json.dumps(values).encode()


async def live(receive: Receive, send: Send) -> None:
    """The lifespan of the app."""
    await receive()
    watcher = asyncio.create_task(watch_loop())
    await send({"type": "lifespan.startup.complete"})
    await receive()
    watcher.cancel()
    await send({"type": "lifespan.shutdown.complete"})


meter = telemetry.meter("app")
durations = meter.create_histogram("took", unit="s")
for number in range(SERIES):
    durations.record(number % 7, {"route": f"/items/{number}", "method": "GET"})
meter.create_observable_gauge("rendering", [count_rendering])
app = MetricsMiddleware(serve, telemetry=telemetry)
