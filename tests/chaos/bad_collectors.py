"""Collectors that misbehave, on loopback. Each gives its base URL, and ends all that it started."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import trustme
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as stubs

from tests.ports import free_port

Serve = Callable[[socket.socket, threading.Event], None]
"""Serves one connection; the event is set when the test ends."""


@contextmanager
def refusing() -> Iterator[str]:
    """Nobody listens."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def unknown() -> Iterator[str]:
    """A name that no DNS knows (RFC 2606)."""
    yield "http://collector.invalid:4318"


@contextmanager
def unreachable() -> Iterator[str]:
    """A listener whose queue is full: the kernel drops what comes, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def tcp(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server of connections, each in a thread of its own."""
    ended = threading.Event()
    threads: set[threading.Thread] = set()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = threading.Thread(target=_accept, args=(listener, serve, tls, ended, threads))
        accepting.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in (accepting, *threads):
                thread.join()


def _accept(
    listener: socket.socket,
    serve: Serve,
    tls: ssl.SSLContext | None,
    ended: threading.Event,
    threads: set[threading.Thread],
) -> None:
    while not ended.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:  # the test has ended
            return
        threads -= {thread for thread in threads if not thread.is_alive()}
        thread = threading.Thread(target=_serve, args=(connection, serve, tls, ended))
        thread.start()
        threads.add(thread)


def _serve(
    connection: socket.socket, serve: Serve, tls: ssl.SSLContext | None, ended: threading.Event
) -> None:
    connection.settimeout(5)
    with connection, contextlib.suppress(OSError):  # it goes when it likes
        if tls is None:
            serve(connection, ended)
        else:
            with tls.wrap_socket(connection, server_side=True) as secured:
                serve(secured, ended)


def hangs(connection: socket.socket, ended: threading.Event) -> None:
    """Say nothing."""
    ended.wait(30)


def hangs_up(connection: socket.socket, ended: threading.Event) -> None:
    """Close at the first bytes."""
    connection.recv(10)


def dribbles(connection: socket.socket, ended: threading.Event) -> None:
    """Answer a byte at a time, and never to the end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while not ended.wait(0.05):
        connection.sendall(b"a")


def dribbles_a_body(connection: socket.socket, ended: threading.Event) -> None:
    """Say success, and then a byte at a time."""
    request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not ended.wait(0.05):
        connection.sendall(b"a")


def says(answer: bytes) -> Serve:
    """Answer each request with these bytes, and close."""

    def serve(connection: socket.socket, ended: threading.Event) -> None:
        request(connection)
        connection.sendall(answer)

    return serve


def answers(status: str, body: bytes = b"", **headers: str) -> Serve:
    """Answer each request with an HTTP status and headers."""
    fields = {"Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {each}" for name, each in fields.items())]
    return says("\r\n".join([*lines, "", ""]).encode() + body)


def request(connection: socket.socket) -> None:
    """Read one HTTP request, or what else was said first."""
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)


@contextmanager
def grpc_server(
    code: grpc.StatusCode, detail: str = "as told", trailers: tuple[tuple[str, bytes], ...] = ()
) -> Iterator[str]:
    """A gRPC server that refuses each push in the same words."""

    class Refusing(stubs.MetricsServiceServicer):
        def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the stub's
            context.set_trailing_metadata(trailers)
            context.abort(code, detail)

    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        add = stubs.add_MetricsServiceServicer_to_server
        add(Refusing(), server)  # type: ignore[no-untyped-call]  # generated without types
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.stop(0).wait()


def authority(folder: Path) -> tuple[trustme.CA, Path]:
    """A certificate authority, and the file that a client believes it by."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(folder / "ca.pem"))
    return made, folder / "ca.pem"


def tls(issuer: trustme.CA, name: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    """A server's side, with a certificate for ``name`` that ends in so many days, or has ended."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2", "http/1.1"])
    until = datetime.now(timezone.utc) + timedelta(days=days)
    issuer.issue_cert(name, not_before=until - timedelta(days=30), not_after=until).configure_cert(context)
    return context
