"""Hundreds of scrapers at once, slow ones among them, on a real server: the app does not notice them."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.servers.server import Server, run_server
from tests.waiting import wait_until

pytestmark = pytest.mark.server

SCRAPERS = 300
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: app\r\nConnection: close\r\n%s\r\n"
PLAIN, GZIP = b"", b"Accept-Encoding: gzip\r\n"


UVICORN = "uvicorn --port {port} tests.servers.page_load_app:app --loop "
COMMANDS = {
    "asyncio": UVICORN + "asyncio",
    "uvloop": UVICORN + "uvloop",
    "aiohttp": "tests.servers.page_load_servers aiohttp {port}",
    "tornado": "tests.servers.page_load_servers tornado {port}",
}


@contextmanager
def serving(kind: str, tmp_path: Path, **env: str) -> Iterator[Server]:
    port = free_port()
    with run_server(COMMANDS[kind].format(port=port).split(), port, tmp_path, env) as server:
        yield server


def load(server: Server) -> dict[str, Any]:
    """What the app has seen so far."""
    seen: dict[str, Any] = json.loads(server.get("/load")[1])
    return seen


async def scrape_at_once(port: int, header: bytes) -> list[bytes]:
    """Scrape on many connections at the same time. Returns the responses."""
    connections = [await asyncio.open_connection("127.0.0.1", port, limit=1 << 20) for _ in range(SCRAPERS)]
    for _, writer in connections:
        writer.write(REQUEST % header)
    responses = await asyncio.gather(*(reader.read() for reader, _ in connections))
    for _, writer in connections:
        writer.close()
    return responses


@pytest.mark.parametrize("header", [PLAIN, GZIP], ids=["plain", "gzip"])
@pytest.mark.parametrize("kind", COMMANDS)
def test_scrapes_at_once_cause_few_renderings(tmp_path: Path, kind: str, header: bytes) -> None:
    pytest.importorskip(kind)
    with serving(kind, tmp_path, RENDERING_SECONDS="0.2") as server:
        before = load(server)
        responses = asyncio.run(scrape_at_once(server.port, header))
        after = load(server)
    assert all(response.startswith(b"HTTP/1.1 200 ") for response in responses)
    assert after["renderings"] - before["renderings"] < SCRAPERS / 10
    assert after["threads"] <= before["threads"] + 1
    assert after["hold"] < 0.15


@pytest.mark.parametrize("kind", COMMANDS)
def test_scrapers_that_do_not_read_cost_a_buffer_and_nothing_else(tmp_path: Path, kind: str) -> None:
    pytest.importorskip(kind)
    with serving(kind, tmp_path) as server:
        page, before, scrapers = server.get("/metrics")[1], load(server), []
        assert len(page) > 5_000_000
        for _ in range(SCRAPERS):
            scraper = socket.socket()
            scraper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            scraper.connect(("127.0.0.1", server.port))
            scrapers.append(scraper)
        for scraper in scrapers:
            scraper.sendall(REQUEST % PLAIN)
        for scraper in scrapers:
            scraper.settimeout(30)
            assert scraper.recv(15) == b"HTTP/1.1 200 OK"
        assert len(server.get("/metrics", timeout=30)[1]) > 5_000_000
        after = load(server)
        assert after["hold"] < 0.15
        assert after["memory"] - before["memory"] < SCRAPERS * 256 * 1024 + 20 * len(page)
        for scraper in scrapers:
            scraper.close()
        wait_until(lambda: server.get("/load")[0] == 200, 10, "the app to serve")
        assert "Traceback" not in server.log.read_text()
