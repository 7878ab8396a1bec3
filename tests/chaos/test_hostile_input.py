"""Clients and apps that send the worst input: series, memory, files and page stay within their limits."""

from __future__ import annotations

import asyncio
import random
import resource
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from dualmetrics import asgi, wsgi
from dualmetrics.asgi.types import Receive, Scope, Send
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.instruments.attributes import MAX_TEXT_LENGTH
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import http_scope

REQUESTS = 100_000
"""Requests of each protocol."""

LIMIT = 500
NASTY = [
    "",
    "\n",
    '"',
    "\\",
    "{}",
    "é",
    "\x00",
    "\u2028",
    "a" * 5000,
    "%s%n",
    "</metrics>",
    "../../etc/passwd",
]


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), cardinality_limit=LIMIT)
    yield telemetry
    telemetry.shutdown()


def nasty_text(randomness: random.Random) -> str:
    """A text that was not sent before, with nasty characters in it."""
    return f"{randomness.choice(NASTY)}{randomness.getrandbits(60):x}{randomness.choice(NASTY)}"


def series_counts(telemetry: Telemetry) -> dict[str, int]:
    """How many series each metric has."""
    return {family.descriptor.name: len(family.points) for family in telemetry.snapshot().families}


def size_of(directory: Path) -> int:
    """The space on the disk that the files take, in bytes."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def resident_memory() -> int:
    """The memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def check_limits(telemetry: Telemetry, directory: Path, requests: int) -> None:
    """Check the total, the limits of series, files and pages, and that two formats of the page are valid."""
    counts = series_counts(telemetry)
    assert all(count <= LIMIT + 1 for count in counts.values()), counts
    assert size_of(directory) < 20_000_000
    for parse, accept in ((plain, None), (openmetrics, "application/openmetrics-text;version=1.0.0")):
        _, page = telemetry.render(accept)
        assert len(page) < 30_000_000
        samples = [sample for family in parse(page.decode()) for sample in family.samples]
        assert sum(sample.value for sample in samples if sample.name == "http_requests_total") == requests


def send_through_wsgi(telemetry: Telemetry, randomness: random.Random) -> Callable[[int], None]:
    """A sender of requests to a WSGI app that sets raw paths as routes and answers with garbage."""
    nasty = partial(nasty_text, randomness)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if randomness.random() < 0.5:
            wsgi.set_route(environ, environ["PATH_INFO"])
        start_response(f"{randomness.randrange(-5, 1200)} {nasty()}", [(nasty(), nasty())])
        return [b""]

    middleware = wsgi.MetricsMiddleware(app, telemetry=telemetry)

    def send(times: int) -> None:
        for _ in range(times):
            environ = {
                "REQUEST_METHOD": nasty(),
                "PATH_INFO": f"/{nasty()}",
                "HTTP_HOST": nasty(),
                "SERVER_PROTOCOL": nasty(),
                "wsgi.url_scheme": nasty(),
            }
            list(middleware(environ, lambda *_: lambda data: None))

    return send


def send_through_asgi(telemetry: Telemetry, randomness: random.Random) -> Callable[[int], None]:
    """A sender of requests to an ASGI app that sets raw paths as routes."""
    nasty = partial(nasty_text, randomness)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if randomness.random() < 0.5:
            asgi.set_route(scope, scope["path"])
        await send({"type": "http.response.start", "status": randomness.randrange(-5, 1200), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = asgi.MetricsMiddleware(app, telemetry=telemetry)

    async def nothing(message: Any = None) -> Any:
        return {"type": "http.request"}

    async def serve(times: int) -> None:
        for _ in range(times):
            scope = http_scope(nasty(), f"/{nasty()}", scheme=nasty(), http_version=nasty())
            await middleware(scope, nothing, nothing)

    return lambda times: asyncio.run(serve(times))


@pytest.mark.server
@pytest.mark.parametrize("sender", [send_through_wsgi, send_through_asgi])
def test_100_000_hostile_requests_stay_within_the_limits(
    sender: Callable[[Telemetry, random.Random], Callable[[int], None]], telemetry: Telemetry, tmp_path: Path
) -> None:
    send = sender(telemetry, random.Random(1))
    send(20_000)
    check_limits(telemetry, tmp_path, 20_000)
    before = resident_memory()
    send(REQUESTS - 20_000)
    assert resident_memory() - before < 30_000_000, "bytes more than after the first fifth"
    check_limits(telemetry, tmp_path, REQUESTS)


def test_enormous_attributes_are_cut_and_not_kept_in_memory(telemetry: Telemetry, tmp_path: Path) -> None:
    counter = telemetry.meter("app").create_counter("uploads")
    tracemalloc.start()
    for number in range(200):
        counter.add(1, {"name": f"{number}-" + "x" * 1_000_000, "k" * 100_000: [str(number)] * 10_000})
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 100_000_000
    (family,) = (f for f in telemetry.snapshot().families if f.descriptor.name == "uploads")
    assert sum(point.cells[0] for point in family.points) == 200
    texts = [
        part for point in family.points for pair in point.attributes for part in pair if isinstance(part, str)
    ]
    assert max(map(len, texts)) == MAX_TEXT_LENGTH


def test_attributes_that_otlp_cannot_carry_do_not_stop_the_push() -> None:
    with Receiver() as receiver:
        telemetry = Telemetry(endpoint=receiver.http_endpoint)
        counter = telemetry.meter("app").create_counter("jobs", description="lone \ud800")
        for attributes in (
            {"text": "lone \ud800"},
            {"lone \ud800": "key"},
            {"number": 2**63},
            {"number": -(2**70)},
            {"list": ["\udfff", "b"]},
            {"enum": HTTPStatus.OK},
            {"bytes": b"\xff"},
        ):
            counter.add(1, attributes)
        assert telemetry.force_flush(10)
        pushed = {key[2]: point.value for key, point in receiver.series().items() if key[1] == "jobs"}
        telemetry.shutdown()
    assert sum(pushed.values()) == 7
    assert (("enum", 200),) in pushed
    assert pushed[()] == 2, "numbers that OTLP cannot carry are left out"
