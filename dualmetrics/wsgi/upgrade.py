"""A request that asks to become a websocket. WSGI knows none: the app takes the socket from the server.

As on ASGI, a websocket is active while it is open, and counted and timed only if a setting asks for it. The
app starts no response for it, and ends as its server needs it: it raises StopIteration on gunicorn, and
returns an empty list on gevent.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from dualmetrics.http.request_recorder import RequestRecorder
from dualmetrics.http.websocket_conventions import ACCEPTED
from dualmetrics.wsgi.environ import Environ
from dualmetrics.wsgi.request import WriteCallable, WsgiRequest

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry


def asks_for_websocket(environ: Environ) -> bool:
    """Whether a request has the headers of a websocket's handshake (RFC 6455, 4.1)."""
    return environ.get("HTTP_UPGRADE", "").lower() == "websocket" and "HTTP_SEC_WEBSOCKET_KEY" in environ


class UpgradeRequest(WsgiRequest):
    """Is active as a websocket. If the app answers with a response, it is recorded as a request instead."""

    __slots__ = ("_http_recorder", "_is_upgraded")

    def __init__(
        self, telemetry: Telemetry, recorder: RequestRecorder, namer: Any, environ: Environ, *others: Any
    ) -> None:
        self._http_recorder = recorder
        # gevent-websocket answers the handshake before it calls the app, which may then start a response.
        self._is_upgraded = environ.get("wsgi.websocket") is not None
        scheme = "wss" if environ["wsgi.url_scheme"] == "https" else "ws"
        websocket_recorder = telemetry.server_metrics.websocket_recorder(scheme)
        super().__init__(telemetry, websocket_recorder, namer, environ, *others)

    def start(self, status: str, *others: Any) -> WriteCallable:
        """The ``start_response`` of the app. Werkzeug's server wants a response at the end of a websocket."""
        seen = self.seen
        write = super().start(status, *others)
        if self._status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._is_upgraded = True
        elif 200 <= self._status < 300:
            is_websocket = getattr(self.namer, "is_websocket", None)
            self._is_upgraded |= is_websocket is not None and is_websocket(seen)
        return write

    def wrap_body(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the very body if the app has taken the socket: it tells the server to do nothing more."""
        if self._status or hasattr(body, "__next__"):  # a generator may start the response later
            return super().wrap_body(body)
        self._record(0, None)
        return body

    def _record(self, status_if_not_started: int, error: str | None) -> None:
        if self._is_upgraded or not self._status:
            self._end_websocket()
        else:
            self._recorder.cancel()
            self._recorder = self._http_recorder
            self._recorder.start()
            super()._record(status_if_not_started, error)

    def _end_websocket(self) -> None:
        self.exclude()


class CountedUpgradeRequest(UpgradeRequest):
    """An `UpgradeRequest` that records a websocket when it ends. Its close code is not known here."""

    __slots__ = ()

    def _end_websocket(self) -> None:
        if self._matched is None:
            self._match_route()
        self._status = ACCEPTED
        WsgiRequest._record(self, ACCEPTED, None)
