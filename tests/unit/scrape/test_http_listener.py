"""The page on a port of its own, with clients that are slow, silent, many or gone. All sockets are real."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import Choice
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.connections import Connections
from dualmetrics.scrape.dedicated_port import DedicatedPort
from dualmetrics.scrape.http_listener import PageServer, open_listener
from tests.forking import run_in_child
from tests.pages import TEXT, endpoint
from tests.ports import free_port
from tests.waiting import wait_until

LARGE = b"a 1\n" * 5_000_000
"""More than the kernel buffers for a client that does not read."""

MAX_CONNECTIONS = 8


class Port:
    """A server of a page in a thread of this process."""

    def __init__(self, server: PageServer, errors: ErrorReporter) -> None:
        self.errors = errors
        self.number: int = server.server_address[1]

    def connect(self, sent: bytes = b"") -> socket.socket:
        """Connect, with a small buffer for what comes back."""
        connection = socket.socket()
        connection.settimeout(20)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", self.number))
        connection.sendall(sent)
        return connection

    def scrape(self, request: bytes = b"GET /metrics HTTP/1.0\r\n\r\n") -> bytes:
        """The whole response to a request."""
        with socket.create_connection(("127.0.0.1", self.number), 20) as connection:
            connection.sendall(request)
            return read(connection)


def connection_threads() -> int:
    """The number of threads that answer connections."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def read(connection: socket.socket) -> bytes:
    """What a client receives until the connection ends, or is reset."""
    received = b""
    try:
        while part := connection.recv(1 << 20):
            received += part
    except ConnectionError:
        pass
    return received


def render(choice: Choice, names: Collection[str]) -> Page:
    return Page(TEXT, [LARGE] if "large" in names else [b"a 1\n"])


@contextmanager
def serving(max_seconds: float = 30.0, **options: float) -> Iterator[Port]:
    """Serve until the end of the block."""
    errors = ErrorReporter()
    connections = Connections(MAX_CONNECTIONS, max_seconds, **options)
    listener = open_listener("127.0.0.1", 0, shared=False)
    server = PageServer(listener, "/metrics", endpoint(render, errors), errors, connections)
    stop, stopped = socket.socketpair()
    thread = threading.Thread(target=server.serve_until, args=(stopped,))
    thread.start()
    port = Port(server, errors)
    try:
        yield port
    finally:
        stop.send(b"x")
        thread.join()
        server.answer_pending()
        for each in (listener, stop, stopped):
            each.close()
        wait_until(lambda: not connection_threads(), 10, "the threads of all connections to end")
    assert errors.error_count == 0


GET_LARGE = b"GET /metrics?name[]=large HTTP/1.0\r\n\r\n"
SLOW_CLIENTS = {
    "silent": b"",
    "in the request line": b"GET /met",
    "in the headers": b"GET /metrics HTTP/1.0\r\nX-A: b\r\n",
    "not reading": GET_LARGE,
}


@pytest.mark.parametrize("sent", SLOW_CLIENTS.values(), ids=SLOW_CLIENTS)
def test_a_request_ends_at_its_time_whatever_its_client_does(sent: bytes) -> None:
    with serving(max_seconds=0.5) as port, port.connect(sent) as connection:
        started = time.monotonic()
        wait_until(connection_threads, 10, "the connection")
        wait_until(lambda: not connection_threads(), 20, "the end of the connection")
        assert time.monotonic() - started > 0.3
        assert len(read(connection)) < len(LARGE)


def drip(step: Callable[[], object]) -> None:
    """Do something again and again until the connection has ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            step()
        except ConnectionError:
            return
        time.sleep(0.02)
    raise AssertionError("the connection did not end")


def test_a_client_that_sends_a_byte_now_and_then_gets_no_more_time() -> None:
    with serving(max_seconds=0.5) as port, port.connect() as connection:
        drip(lambda: connection.sendall(b"G"))


def test_a_client_that_reads_a_little_now_and_then_gets_no_more_time() -> None:
    with serving(max_seconds=0.5) as port, port.connect(GET_LARGE) as connection:
        received: list[bytes] = []
        drip(lambda: received.append(connection.recv(1024)))
        assert len(b"".join(received)) < len(LARGE)


@pytest.mark.parametrize("sent", SLOW_CLIENTS.values(), ids=SLOW_CLIENTS)
def test_however_many_clients_are_slow_there_are_few_threads_and_a_scraper_is_answered(sent: bytes) -> None:
    with serving(max_patience=0.02) as port:
        clients = [port.connect(sent) for _ in range(10 * MAX_CONNECTIONS)]
        for _ in range(3):
            assert port.scrape().endswith(b"\r\n\r\na 1\n")
            assert connection_threads() <= MAX_CONNECTIONS
        for client in clients:
            client.close()


def test_many_scrapers_at_once_are_all_answered_with_few_threads() -> None:
    with serving() as port, ThreadPoolExecutor(40) as pool:
        futures = [pool.submit(port.scrape) for _ in range(400)]
        most = 0
        while not all(future.done() for future in futures):
            most = max(most, connection_threads())
        assert all(future.result().endswith(b"\r\n\r\na 1\n") for future in futures)
        assert most <= MAX_CONNECTIONS


def test_a_large_page_is_received_whole() -> None:
    with serving() as port:
        assert port.scrape(GET_LARGE).endswith(b"\r\n\r\n" + LARGE)


def test_clients_that_leave_are_no_error_and_print_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as port:
        for sent in [
            *SLOW_CLIENTS.values(),
            b"\x00\xff\r\n\r\n",
            b"GET /metrics HTTP/9.9\r\n\r\n",
            b"\r\n",
        ] * 3:
            port.connect(sent).close()
        assert port.scrape().startswith(b"HTTP/1.0 200 ")
        wait_until(lambda: not connection_threads(), 10, "the end of all connections")
    assert capfd.readouterr() == ("", "")


def test_closing_the_port_ends_the_connections_of_slow_clients() -> None:
    number = free_port()
    port = DedicatedPort("127.0.0.1", number, "/metrics", endpoint(render), lambda: None, ErrorReporter())
    port.open()
    clients = [socket.create_connection(("127.0.0.1", number), 20) for _ in range(3)]
    port.close()
    assert [read(client) for client in clients] == [b""] * 3
    for client in clients:
        client.close()


def sockets() -> set[str]:
    """The sockets that this process has open."""
    names = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return {
        link for name in names if os.path.lexists(name) and (link := os.readlink(name)).startswith("socket:")
    }


def test_a_forked_child_keeps_no_connection_of_its_parent_open() -> None:
    number = free_port()
    port = DedicatedPort("127.0.0.1", number, "/metrics", endpoint(render), lambda: None, ErrorReporter())
    before = sockets()
    port.open()
    with socket.create_connection(("127.0.0.1", number), 20) as client:
        client.sendall(b"GET /met")
        wait_until(connection_threads, 10, "the connection")
        mine = f"socket:[{os.fstat(client.fileno()).st_ino}]"

        def child() -> None:
            assert sockets() <= before | {mine}

        run_in_child(child)
        client.sendall(b"rics HTTP/1.0\r\n\r\n")
        assert read(client).endswith(b"\r\n\r\na 1\n")
    port.close()
