"""Stands between Tornado's server and an application, and records what passes."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from tornado import httputil
from tornado.concurrent import Future
from tornado.web import HTTPError

from dualmetrics.own_server import CLIENT_GONE, SMALL_BODY_BYTES, Requests, ServedRequest


class WatchedConnection(httputil.HTTPConnection):
    """The connection of one request, on which the application writes its response."""

    def __init__(self, connection: httputil.HTTPConnection, requests: Requests) -> None:
        self._connection: Any = connection
        self._requests = requests
        self._served: ServedRequest | None = None
        self._handled_at_start: BaseException | None = None
        self._status = 0
        self.carrier: dict[str, Any] = {}
        self.path = ""
        self.template: str | None = None

    def __getattr__(self, name: str) -> Any:
        """Everything else is that of the connection."""
        return getattr(self._connection, name)

    @property
    def _scheme(self) -> str:
        return getattr(getattr(self._connection, "context", None), "protocol", "http")

    def begin(self, line: httputil.RequestStartLine) -> None:
        """Begin the request with this line."""
        self.path = line.path.partition("?")[0]
        version = line.version.removeprefix("HTTP/")
        self._served = self._requests.begin(self.carrier, line.method, self.path, self._scheme, version)

    def write_headers(
        self, start_line: Any, headers: httputil.HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Write the start of the response. A small body comes with it, and nothing more is written then."""
        self._status = start_line.code
        self._handled_at_start = sys.exc_info()[1]
        if self._status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._served = self._requests.begin_websocket(self.carrier, self.path, self._scheme)
        elif self._served is not None:
            if self._status >= 500 and not isinstance(self._handled_at_start, HTTPError):
                self._served.failure = self._handled_at_start  # Tornado answers the exception of a handler
            if (
                headers.get("Content-Length") == str(len(chunk or b""))
                and len(chunk or b"") <= SMALL_BODY_BYTES
            ):
                self.end()
        future: Future[None] = self._connection.write_headers(start_line, headers, chunk)
        return future

    def write(self, chunk: bytes) -> Future[None]:
        """Write a part of the body."""
        future: Future[None] = self._connection.write(chunk)
        return future

    def finish(self) -> None:
        """End the response, which an exception may have cut off."""
        error = sys.exc_info()[1]
        if self._served is not None and error is not None and error is not self._handled_at_start:
            self._served.failure = error
        try:
            self._connection.finish()
        finally:
            if self._status != HTTPStatus.SWITCHING_PROTOCOLS:
                self.end()

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Have the application called when the client leaves, and record that it did."""
        self._connection.set_close_callback(None if callback is None else self._ending(callback))

    def detach(self) -> Any:
        """Hand the stream over, as for a websocket, which is open until the stream is closed."""
        stream = self._connection.detach()
        set_close_callback = stream.set_close_callback

        def set_both(callback: Callable[[], None] | None) -> None:
            set_close_callback(self._ending(callback))

        stream.set_close_callback = set_both
        set_both(None)
        return stream

    def _ending(self, callback: Callable[[], None] | None) -> Callable[[], None]:
        """Make a callback that ends the request too."""

        def end_and_call() -> None:
            self.end()
            if callback is not None:
                callback()

        return end_and_call

    def end(self) -> None:
        """Record the request with the status that was sent. Without one, the client has left before."""
        if self._served is not None:
            refused = self._status == HTTPStatus.METHOD_NOT_ALLOWED
            self._served.end(self._status or CLIENT_GONE, None if refused else self.template)


class WatchedDelegate(httputil.HTTPMessageDelegate):
    """What the server tells about one request."""

    def __init__(self, delegate: httputil.HTTPMessageDelegate, connection: WatchedConnection) -> None:
        self._delegate = delegate
        self._connection = connection

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Awaitable[None] | None:
        """Begin the request."""
        self._connection.begin(start_line)
        return self._delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand on a part of the body."""
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        """Hand on the end of the request."""
        self._delegate.finish()

    def on_connection_close(self) -> None:
        """Record that the client left while it was sending the request."""
        self._connection.end()
        self._delegate.on_connection_close()
