"""Collectors that misbehave, on loopback. Each is a context manager that gives a base URL and cleans up."""

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
    """Nobody listens on the port."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def unknown_host() -> Iterator[str]:
    """A name that no DNS resolves (RFC 2606)."""
    yield "http://collector.invalid:4318"


@contextmanager
def unreachable() -> Iterator[str]:
    """A listener with a full queue: the kernel drops new connections, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def tcp(serve: Serve, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that calls ``serve`` with each connection, in a new thread."""
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
    with connection, contextlib.suppress(OSError):  # the client may hang up at any time
        if tls is None:
            serve(connection, ended)
        else:
            with tls.wrap_socket(connection, server_side=True) as secured:
                serve(secured, ended)


def never_answer(connection: socket.socket, ended: threading.Event) -> None:
    """Send nothing."""
    ended.wait(30)


def hang_up(connection: socket.socket, ended: threading.Event) -> None:
    """Close the connection at the first bytes."""
    connection.recv(10)


def send_endless_header(connection: socket.socket, ended: threading.Event) -> None:
    """Send a header that never ends, one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Endless: ")
    while not ended.wait(0.05):
        connection.sendall(b"a")


def send_slow_body(connection: socket.socket, ended: threading.Event) -> None:
    """Answer with success, then send the body one byte at a time."""
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not ended.wait(0.05):
        connection.sendall(b"a")


def send_bytes(answer: bytes) -> Serve:
    """Answer each request with these bytes, and close the connection."""

    def serve(connection: socket.socket, ended: threading.Event) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


def respond(status: str, body: bytes = b"", **headers: str) -> Serve:
    """Answer each request with an HTTP response."""
    fields = {"Content-Length": str(len(body)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {text}" for name, text in fields.items())]
    return send_bytes("\r\n".join([*lines, "", ""]).encode() + body)


def read_request(connection: socket.socket) -> None:
    """Read one HTTP request, or the first bytes of another protocol."""
    head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)


@contextmanager
def grpc_server(
    code: grpc.StatusCode, detail: str = "as configured", trailers: tuple[tuple[str, bytes], ...] = ()
) -> Iterator[str]:
    """A gRPC server that refuses each push with a code, a text and trailers."""

    class Refusing(stubs.MetricsServiceServicer):
        def Export(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the stub's name
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


def certificate_authority(folder: Path) -> tuple[trustme.CA, Path]:
    """Create a certificate authority, and the file with which a client trusts it."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return authority, folder / "ca.pem"


def server_tls(issuer: trustme.CA, name: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    """The TLS of a server with a certificate for ``name`` that expires in ``days``, or has expired before."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["h2", "http/1.1"])
    until = datetime.now(timezone.utc) + timedelta(days=days)
    issuer.issue_cert(name, not_before=until - timedelta(days=30), not_after=until).configure_cert(context)
    return context
