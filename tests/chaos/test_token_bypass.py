"""A real server shows its page only to requests with the token, whatever else is written on the socket."""

from __future__ import annotations

import contextlib
import functools
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.server import Server, gunicorn, uvicorn

pytestmark = pytest.mark.server

SECRET = "s3cret"
PATHS = [
    "/metrics",
    "/metrics/",
    "//metrics",
    "/metrics%2f",
    "/metrics%00",
    "/METRICS",
    "/./metrics",
    "/x/../metrics",
    "/metrics;x",
    "/metrics?token=s3cret",
    "/metrics#",
    "/%6detrics",
    "http://localhost/metrics",
    "*",
    "/metrics\\",
]
HEADERS = [
    "",
    *("Authorization: " + text for text in ("s3cret", "Bearer", "Bearer ", "Basic s3cret", "Bearer s3cre")),
    *("Authorization: " + text for text in ("Bearer s3crets", "Bearer S3CRET", "Bearer \xff\xfe")),
    "Authorization: Bearer x\r\nAuthorization: Bearer s3cretx",
    "Authorization: Bearer s3\r\n cret",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Authorization: Bearer s3cret",
    "Proxy-Authorization: Bearer s3cret",
    "Cookie: token=s3cret",
    "X-Original-URL: /metrics",
]
METHODS = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "TRACE", "get", "QUERY"]


def send(server: Server, request: bytes) -> bytes:
    """Write the bytes, and read until the server closes the connection or sends nothing for 2 seconds."""
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=2)) as connection:
        answer = b""
        with contextlib.suppress(OSError):
            connection.sendall(request)
            while len(answer) < 1_000_000 and (part := connection.recv(65536)):
                answer += part
        return answer


def get(server: Server, method: str, path: str, headers: str) -> bytes:
    """Send a request with these headers. Returns all bytes of the answer."""
    more = f"{headers}\r\n" if headers else ""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n"
    return send(server, head.encode("latin-1"))


@pytest.fixture(scope="module", params=["gunicorn", "uvicorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("bypass")
    start = uvicorn if request.param == "uvicorn" else functools.partial(gunicorn, "gunicorn-gthread")
    with start(folder, workers=2, DUALMETRICS_METRICS_TOKEN=SECRET) as started:
        yield started


@pytest.mark.parametrize("method", METHODS)
def test_without_the_token_no_path_and_no_header_shows_the_page(server: Server, method: str) -> None:
    for path in PATHS:
        for headers in HEADERS:
            answer = get(server, method, path, headers)
            assert b"# TYPE" not in answer, (method, path, headers)
            assert SECRET.encode() not in answer.replace(b"?token=s3cret", b""), (method, path, headers)


def test_the_token_shows_the_page_also_after_garbage_on_the_socket(server: Server) -> None:
    randomness = random.Random(2)
    for _ in range(300):
        send_and_hang_up(server, randomness.randbytes(randomness.randrange(1, 400)) + b"\r\n\r\n")
    assert server.work(10)
    assert b"# TYPE" in get(server, "GET", "/metrics", f"Authorization: Bearer {SECRET}")


def send_and_hang_up(server: Server, request: bytes) -> None:
    """Write the bytes, and close the connection without reading the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        connection.sendall(request)
