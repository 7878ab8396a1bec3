"""Metrics for Tornado: ``DualMetrics(app)``."""

from __future__ import annotations

import contextlib
import re
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import paced_chunks
from dualmetrics.middleware import route_taken_error, serves_page, telemetry_for
from dualmetrics.own_server import Requests, answer_scrape, tell_route

try:
    from tornado import httputil, iostream, web
except ImportError as error:
    raise ImportError('dualmetrics_tornado needs Tornado: pip install "dualmetrics[tornado]"') from error

from dualmetrics_tornado.connection import WatchedConnection, WatchedDelegate
from dualmetrics_tornado.details import DetailedConnection, DetailedDelegate, note_found_handlers
from dualmetrics_tornado.rules import patterns, template_for

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]


class DualMetrics:
    """Records the requests of a Tornado application and adds the metrics page to its handlers.

    It stands between the server and the application. ``telemetry`` is the `Telemetry` to record with. Without
    it, ``settings`` are passed to `dualmetrics.configure`. ``serve_metrics=False`` adds no handler. Raises
    SettingsError for a bad setting and for a metrics path that a rule of the application has.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        if serve_metrics and serves_page(self.telemetry):
            self._mount_page(app)
        Watch(self.telemetry, app, app.start_request)
        self.telemetry.app_built()

    def _mount_page(self, app: web.Application) -> None:
        path = self.telemetry.settings.prometheus_path
        if path in patterns(app):
            raise route_taken_error(self.telemetry, path)
        # Handlers that are added for hosts come before those that the application began with.
        app.add_handlers(r".*", [(re.escape(path), PageHandler, {"telemetry": self.telemetry})])


class Watch:
    """Stands between the server and an application. ``start`` has taken the place of ``start_request``."""

    def __init__(self, telemetry: Telemetry, app: web.Application, start_request: Any) -> None:
        self._app = app
        self._requests = Requests(telemetry)
        self._connection_type, self._delegate_type = WatchedConnection, WatchedDelegate
        self._start_request, self._find_handler = start_request, app.find_handler
        # For this application alone. Both are methods of documented interfaces.
        app.start_request = self.start  # type: ignore[method-assign]
        app.find_handler = self.find  # type: ignore[assignment]
        if telemetry.settings.websockets:
            self._watch_in_detail()
        else:
            self._requests.on_detailed(self._watch_in_detail)

    def _watch_in_detail(self) -> None:
        self._connection_type, self._delegate_type = DetailedConnection, DetailedDelegate
        note_found_handlers(self._app)

    def start(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Begin to watch a request."""
        watched = self._connection_type(request_conn, self._requests)
        return self._delegate_type(self._start_request(server_conn, watched), watched)

    def find(self, request: httputil.HTTPServerRequest, **kwargs: Any) -> httputil.HTTPMessageDelegate | None:
        """Keep the template of the rule that matches."""
        if isinstance(request.connection, WatchedConnection):
            request.connection.template = template_for(self._app, request)
        return self._find_handler(request, **kwargs)


def set_route(request: httputil.HTTPServerRequest, template: str) -> None:
    """Set the route of a request, such as ``/users/{id}``. It takes precedence over the rule of Tornado.

    Pass the template and never the path: a client can request any path, and each one would be a new series.
    """
    if isinstance(request.connection, WatchedConnection):
        tell_route(request.connection.carrier, template)


class PageHandler(web.RequestHandler):
    """The metrics page."""

    def initialize(self, telemetry: Telemetry) -> None:
        """Take the arguments of the rule."""
        self._telemetry = telemetry

    async def get(self) -> None:
        """Answer a scrape."""
        request = self.request
        answer = await answer_scrape(
            self._telemetry, request.method or "GET", request.headers, request.query, request.remote_ip
        )
        self.set_status(answer.status)
        for name, value in answer.headers:
            self.set_header(name, value)
        with contextlib.suppress(iostream.StreamClosedError):  # the scraper has left
            async with aclosing(paced_chunks(answer.chunks)) as chunks:
                async for chunk in chunks:
                    self.write(chunk)
                    await self.flush()

    async def head(self) -> None:
        """Answer a scrape without its body."""
        await self.get()
