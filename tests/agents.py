"""A real OTLP agent for tests, on free loopback ports."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests import backends, peers
from tests.ports import free_port
from tests.waiting import wait_until


class Rotel(NamedTuple):
    """A running agent: its two endpoints, and the log that lists each message it received."""

    grpc: str
    http: str
    log: Path


@contextlib.contextmanager
def rotel(folder: Path, forward_to: str = "") -> Iterator[Rotel]:
    """Run the agent of the PyPI package rotel. Its log has every point that arrived.

    With ``forward_to`` it also sends them on to that endpoint.
    """
    program, environment = peers.rotel()
    grpc, http = free_port(), free_port()
    command = [
        str(program), "start",
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc}",
        "--otlp-http-endpoint", f"127.0.0.1:{http}",
        "--debug-log", "metrics", "--debug-log-verbosity", "detailed",
        *(_forwarding_options(forward_to) if forward_to else ["--exporter", "blackhole"]),
    ]  # fmt: skip
    with backends.run_program(command, folder, environment) as log:
        agent = Rotel(f"http://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}", log)
        wait_until(lambda: _listens(grpc) and _listens(http), 30, "rotel to listen", details=log.read_text)
        yield agent


def _forwarding_options(endpoint: str) -> list[str]:
    """The options to forward at once, over HTTP."""
    options = ["--exporter", "otlp", "--otlp-exporter-protocol", "http", "--disable-batching"]
    return [*options, "--otlp-exporter-endpoint", endpoint]


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
