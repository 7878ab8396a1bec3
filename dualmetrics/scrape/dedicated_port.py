"""The page on a port of its own (PROMETHEUS_PORT), served by every process of the group that has a thread.

Whichever process ends, another one answers. Only connections that the kernel has given to that process, and
that it has not accepted yet, are lost. So a forked child, which may be there for one job only, does not
listen beside others before it has lived for some seconds.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from dualmetrics.runtime import forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.threads import start_thread
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.workers.membership import Membership
from dualmetrics.workers.port_claim import PortClaim

if TYPE_CHECKING:
    from dualmetrics.scrape.http_listener import PageServer

_FORK_WAIT_SECONDS = 0.2

_MIN_AGE_SECONDS = 4.0
"""The age at which a forked child listens beside others. It is less than the time between two ticks."""


class DedicatedPort:
    """Listens from the first `open` to `close`, also over forks of this process.

    ``host`` is the address to listen on; empty for all.
    """

    def __init__(
        self,
        host: str,
        port: int | None,
        path: str,
        endpoint: ScrapeEndpoint,
        membership: Callable[[], Membership | None],
        errors: ErrorReporter,
    ) -> None:
        self._host = host
        self._port = port
        self._path = path
        self._endpoint = endpoint
        self._membership = membership
        self._errors = errors
        self._claim: PortClaim | None = None
        self._server: PageServer | None = None
        self._loop: _ServingLoop | None = None
        self._listens_from = 0.0
        self._is_wanted = False
        forking.register(self)

    def open(self) -> None:
        """Listen, unless no port is set or it is open already. A port that is taken is logged once."""
        if self._port is None or self._server is not None:
            return
        self._is_wanted = True
        try:
            self._server = self._listen(self._port)
        except BlockingIOError:  # others listen; it is tried again in a moment
            self._drop()
        except OSError as error:
            self._drop()
            message = (
                "dualmetrics: cannot listen on PROMETHEUS_PORT=%s (%s); the app's own server still serves "
                "the page. Choose a free port, or stop what uses this one"
            )
            self._errors.log_once("port", message, self._port, error)
        else:
            self._errors.reset("port")
            self._loop = _ServingLoop(self._server)

    @property
    def is_waiting(self) -> bool:
        """Whether it shall be open, and another process has the port."""
        return self._is_wanted and self._server is None

    def _listen(self, port: int) -> PageServer:
        # Loads Python's HTTP server, which few apps need.
        from dualmetrics.scrape.connections import Connections
        from dualmetrics.scrape.http_listener import PageServer, open_listener

        claim = self._claim = self._claim_port()
        if claim is None or claim.is_first:
            open_listener(self._host, port, shared=False).close()  # raises if somebody else has the port
        listener = open_listener(self._host, port, shared=claim is not None)
        if claim is not None:
            claim.share()
        return PageServer(listener, self._path, self._endpoint, self._errors, Connections())

    def _claim_port(self) -> PortClaim | None:
        """The claim of a process that is in a group. Raises BlockingIOError if it shall wait."""
        membership = self._membership()
        claim = PortClaim(membership.directory) if membership else None
        if claim is not None and not claim.is_first and time.monotonic() < self._listens_from:
            claim.close()
            raise BlockingIOError("others listen, and this child may live for a moment only")
        return claim

    def close(self) -> None:
        """Stop listening."""
        self._is_wanted = False
        if self._loop is not None and self._server is not None:
            self._loop.stop()
            self._server.answer_pending()
        self._drop()

    def before_fork(self) -> None:
        """End the thread, which the child would not have. New connections wait meanwhile."""
        if self._loop is not None:
            self._loop.stop()

    def after_fork_in_parent(self) -> None:
        """Answer again."""
        if self._server is not None:
            self._loop = _ServingLoop(self._server)

    def after_fork_in_child(self) -> None:
        """Close the inherited sockets: they would take connections that nobody answers."""
        self._listens_from = time.monotonic() + _MIN_AGE_SECONDS
        self._is_wanted = False
        if self._server is not None:
            self._server.connections.close_inherited()
        self._drop()

    def _drop(self) -> None:
        server, self._server = self._server, None
        claim, self._claim = self._claim, None
        self._loop = None
        if server is not None:
            with contextlib.suppress(OSError):
                server.socket.close()
        if claim is not None:
            claim.close()


class _ServingLoop:
    """A thread that serves until it is stopped. If no thread can be started, nothing is served."""

    def __init__(self, server: PageServer) -> None:
        self._server = server
        self._stop, self._stopped = socket.socketpair()
        self._ended = threading.Event()
        if not start_thread("dualmetrics-port", self._run):
            self._ended.set()

    def stop(self) -> None:
        """End the thread, and wait for it a little."""
        with contextlib.suppress(OSError):  # it is stopped already
            self._stop.send(b"x")
        self._ended.wait(_FORK_WAIT_SECONDS)
        self._stop.close()

    def _run(self) -> None:
        with self._stopped:
            self._server.serve_until(self._stopped)
        self._ended.set()
