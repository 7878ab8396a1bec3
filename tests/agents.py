"""A real OTLP agent for tests, on free loopback ports; without it a test fails."""

from __future__ import annotations

import contextlib
import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import backends
from tests.ports import free_port
from tests.waiting import wait_until


class Rotel(NamedTuple):
    """An OTLP agent that tells of each message in its log."""

    grpc: str
    http: str
    log: Path


@contextlib.contextmanager
def rotel(folder: Path, forward: str = "") -> Iterator[Rotel]:
    """The agent of the PyPI package rotel; its log has every point that arrived, which it may ``forward``."""
    grpc, http = free_port(), free_port()
    command = [
        str(rotel_program()), "start",
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
        "--otlp-http-endpoint", f"127.0.0.1:{http}",
        "--debug-log", "metrics", "--debug-log-verbosity", "detailed",
        *(_forwarding(forward) if forward else ["--exporter", "blackhole"]),
    ]  # fmt: skip
    with backends.running(command, folder) as log:
        agent = Rotel(f"http://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}", log)
        wait_until(lambda: _listens(grpc) and _listens(http), 30, "rotel to listen", details=log.read_text)
        yield agent


def _forwarding(endpoint: str) -> list[str]:
    """At once, over HTTP."""
    options = ["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--disable-batching"]
    return [*options, "--otlp-exporter-endpoint", endpoint]


def rotel_program() -> Path:
    """The agent's program; a test fails without it."""
    package = importlib.util.find_spec("rotel")
    if package is None or package.origin is None:
        pytest.fail("the package rotel is not installed (Linux, CPython 3.11)")
    return Path(package.origin).with_name("rotel-agent")


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
