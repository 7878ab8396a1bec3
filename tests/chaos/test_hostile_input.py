"""Clients and apps that send whatever is worst: series, memory, files and page stay within the limit."""

from __future__ import annotations

import asyncio
import random
import resource
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
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
"""Of each protocol."""

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
    made = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), cardinality_limit=LIMIT)
    yield made
    made.shutdown()


def word(chance: random.Random) -> str:
    """Something that nobody else has sent, with something nasty in it."""
    return f"{chance.choice(NASTY)}{chance.getrandbits(60):x}{chance.choice(NASTY)}"


def series(telemetry: Telemetry) -> dict[str, int]:
    """How many each metric has."""
    return {family.descriptor.name: len(family.points) for family in telemetry.snapshot().families}


def size_of(directory: Path) -> int:
    """What the files take of the disk, in bytes."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def resident() -> int:
    """The memory that this process takes, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def check(telemetry: Telemetry, directory: Path, requests: int) -> None:
    """All was counted, in no more series than the limit and the overflow, and both pages can be read."""
    assert all(found <= LIMIT + 1 for found in series(telemetry).values()), series(telemetry)
    assert size_of(directory) < 20_000_000
    for parse, accept in ((plain, None), (openmetrics, "application/openmetrics-text;version=1.0.0")):
        _, page = telemetry.render(accept)
        assert len(page) < 30_000_000
        samples = [sample for family in parse(page.decode()) for sample in family.samples]
        assert sum(sample.value for sample in samples if sample.name == "http_requests_total") == requests


def through_wsgi(telemetry: Telemetry, chance: random.Random) -> Callable[[int], None]:
    """Requests through the WSGI middleware, to an app that makes raw paths its routes, the worst it can."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if chance.random() < 0.5:
            wsgi.set_route(environ, environ["PATH_INFO"])
        start_response(f"{chance.randrange(-5, 1200)} {word(chance)}", [(word(chance), word(chance))])
        return [b""]

    middleware = wsgi.MetricsMiddleware(app, telemetry=telemetry)

    def send(times: int) -> None:
        for _ in range(times):
            scheme = {"wsgi.url_scheme": word(chance), "SERVER_PROTOCOL": word(chance)}
            environ = {
                "REQUEST_METHOD": word(chance),
                "PATH_INFO": f"/{word(chance)}",
                "HTTP_HOST": word(chance),
            }
            list(middleware({**environ, **scheme}, lambda *_: lambda data: None))

    return send


def through_asgi(telemetry: Telemetry, chance: random.Random) -> Callable[[int], None]:
    """The same through the ASGI middleware."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if chance.random() < 0.5:
            asgi.set_route(scope, scope["path"])
        await send({"type": "http.response.start", "status": chance.randrange(-5, 1200), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    middleware = asgi.MetricsMiddleware(app, telemetry=telemetry)

    async def nothing(message: Any = None) -> Any:
        return {"type": "http.request"}

    async def serve(times: int) -> None:
        for _ in range(times):
            scope = http_scope(
                word(chance), f"/{word(chance)}", scheme=word(chance), http_version=word(chance)
            )
            await middleware(scope, nothing, nothing)

    return lambda times: asyncio.run(serve(times))


@pytest.mark.server
@pytest.mark.parametrize("way", [through_wsgi, through_asgi])
def test_a_hundred_thousand_made_up_requests(
    way: Callable[[Telemetry, random.Random], Callable[[int], None]], telemetry: Telemetry, tmp_path: Path
) -> None:
    send = way(telemetry, random.Random(1))
    send(20_000)
    check(telemetry, tmp_path, 20_000)
    before = resident()
    send(REQUESTS - 20_000)
    assert resident() - before < 30_000_000, "bytes more than after the first fifth"
    check(telemetry, tmp_path, REQUESTS)


def test_enormous_values_are_cut_and_not_kept(telemetry: Telemetry, tmp_path: Path) -> None:
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


def test_what_cannot_be_sent_does_not_keep_the_rest_from_being_sent() -> None:
    with Receiver() as receiver:
        made = Telemetry(endpoint=receiver.http_endpoint)
        counter = made.meter("app").create_counter("jobs", description="lone \ud800")
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
        assert made.force_flush(10)
        found = {key[2]: value.value for key, value in receiver.series().items() if key[1] == "jobs"}
        made.shutdown()
    assert sum(found.values()) == 7
    assert (("enum", 200),) in found
    assert found[()] == 2, "numbers that OTLP cannot carry are left out"
