"""Tells the details of a request that the settings ask for."""

from __future__ import annotations

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

from tornado import httputil, web
from tornado.concurrent import Future

from dualmetrics.own_server import DetailedServedRequest
from dualmetrics_tornado.connection import WatchedConnection, WatchedDelegate


class DetailedConnection(WatchedConnection):
    """A connection that counts what is sent on it, and knows the handler of its request."""

    handler_delegate: object = None

    def note_found(self, request: httputil.HTTPServerRequest, delegate: object) -> None:
        """Take note of the application's request, and of what calls its handler."""
        self.handler_delegate = delegate
        if isinstance(self._served, DetailedServedRequest):
            self._served.note_request(request, lambda request: self.template)

    def add_received(self, count: int) -> None:
        """Count bytes of the body of the request."""
        if isinstance(self._served, DetailedServedRequest):
            self._served.add_received(count)

    def write_headers(
        self, start_line: Any, headers: httputil.HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Write the start of the response."""
        if isinstance(self._served, DetailedServedRequest):
            self._served.note_start()
            self._served.add_sent(len(chunk or b""))
        return super().write_headers(start_line, headers, chunk)

    def write(self, chunk: bytes) -> Future[None]:
        """Write a part of the body."""
        if isinstance(self._served, DetailedServedRequest):
            self._served.add_sent(len(chunk))
        return super().write(chunk)

    def end(self) -> None:
        """Record the request, or the websocket with the close code that its handler knows."""
        if self._served is not None and self._status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._served.response = getattr(self.handler_delegate, "handler", None)
        super().end()
        self.handler_delegate = None


class DetailedDelegate(WatchedDelegate):
    """Counts the body of a request."""

    _connection: DetailedConnection

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Hand on a part of the body."""
        self._connection.add_received(len(chunk))
        return super().data_received(chunk)


def note_found_handlers(app: web.Application) -> None:
    """Tell each connection what the application has found for its request."""
    find_handler = app.find_handler

    def find(request: httputil.HTTPServerRequest, **kwargs: Any) -> httputil.HTTPMessageDelegate | None:
        delegate = find_handler(request, **kwargs)
        if isinstance(request.connection, DetailedConnection):
            request.connection.note_found(request, delegate)
        return delegate

    app.find_handler = find  # type: ignore[assignment]  # a method of a documented interface
