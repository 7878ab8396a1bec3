"""The contract for integrations of ASGI frameworks."""

from __future__ import annotations

import asyncio
from typing import Any

from dualmetrics import Telemetry
from dualmetrics.asgi import ASGIApp, Message, MetricsMiddleware, Receive, Scope, Send
from dualmetrics.middleware import error_type
from dualmetrics.testing.asgi_client import BODY_END, Connection, fetch, http_scope
from dualmetrics.testing.contracts.http import HttpContract
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, Actions, Response, Site

BACKGROUND_TIMEOUT = 1.0
"""Seconds that tasks of the app may run on after a request."""


class AsgiContract(HttpContract):
    """The cases of `HttpContract`, and those that only ASGI has. Subclass it and write ``make_app``."""

    def make_site(self, app: ASGIApp, actions: Actions) -> Site:
        """Call the app as an ASGI server does."""
        return AsgiSite(app, actions)

    def test_middleware_added_twice_counts_once(
        self, site: Site, telemetry: Telemetry, recorded: Recorded, actions: Actions
    ) -> None:
        """More middleware with the same Telemetry around the app neither counts nor hides a request."""
        app = MetricsMiddleware(MetricsMiddleware(site.app, telemetry=telemetry), telemetry=telemetry)
        assert fetch(app, "GET", "/users/1").status == 200
        assert recorded.counts() == {RequestLabels("GET", self.user_route, 200): 1}
        assert actions.active_during_request == [{"GET": 1}]
        assert recorded.active() == {}

    def test_two_telemetries_both_count(self, site: Site, recorded: Recorded) -> None:
        """Middleware with another Telemetry around the app counts too, by the same template."""
        other = Telemetry(metrics_exporter="prometheus")
        fetch(MetricsMiddleware(site.app, telemetry=other), "GET", "/users/1")
        counts = {RequestLabels("GET", self.user_route, 200): 1}
        assert (recorded.counts(), Recorded(other).counts()) == (counts, counts)
        other.shutdown()

    def test_a_copied_scope_keeps_its_route(
        self, site: Site, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        """Middleware may hand on a copy of the scope. The request is counted once, with its route."""

        async def copy(scope: Scope, receive: Receive, send: Send) -> None:
            await site.app({**scope}, receive, send)

        app = MetricsMiddleware(copy, telemetry=telemetry)
        for path in ("/users/1", "/api/v1/items/1", "/nowhere"):
            fetch(app, "GET", path)
        assert recorded.counts() == {
            RequestLabels("GET", self.user_route, 200): 1,
            RequestLabels("GET", self.item_route, 200): 1,
            RequestLabels("GET", "unmatched", 404): 1,
        }

    def test_a_mount_belongs_to_the_route(self, site: Site, telemetry: Telemetry, recorded: Recorded) -> None:
        """An app that is mounted in a recorded app is counted once, with the prefix of the mount."""

        async def mount(scope: Scope, receive: Receive, send: Send) -> None:
            await site.app({**scope, "root_path": scope["root_path"] + "/shop"}, receive, send)

        app = MetricsMiddleware(mount, telemetry=telemetry)
        for root in ("", "/proxy"):
            fetch(app, "GET", root + "/shop/users/1", root_path=root)
        assert recorded.counts() == {RequestLabels("GET", "/shop" + self.user_route, 200): 2}

    def test_the_page_of_a_mounted_app_is_not_counted(self, site: Site, recorded: Recorded) -> None:
        """What an app inside excludes, its page above all, is counted by nobody."""

        async def mount(scope: Scope, receive: Receive, send: Send) -> None:
            await site.app({**scope, "root_path": "/shop"}, receive, send)

        other = Telemetry(metrics_exporter="prometheus")
        assert fetch(MetricsMiddleware(mount, telemetry=other), "GET", "/shop/metrics").status == 200
        assert (recorded.counts(), Recorded(other).counts()) == ({}, {})
        other.shutdown()

    def test_paths_are_excluded_below_a_root_path(self, site: Site, recorded: Recorded) -> None:
        """Excluded paths do not include the root path of a proxy."""
        for path in ("/proxy/health", "/proxy/internal/x", "/proxy/metrics"):
            fetch(site.app, "GET", path, root_path="/proxy")
        assert recorded.counts() == {}


class AsgiSite:
    """An ASGI app, called by hand in an event loop of its own for each request."""

    def __init__(self, app: ASGIApp, actions: Actions) -> None:
        self.app = app
        self._actions = actions

    def request(self, method: str, path: str) -> Response:
        """Send one request. Raises what the app raises, except `HandlerError`."""
        connection = _NotingConnection(self._actions, http_scope(method, path), [BODY_END])
        try:
            asyncio.run(self._serve(connection))
        except Exception as error:
            cause: BaseException = error  # it may come in exceptions of the framework, or in a group
            while error_type(cause) != HANDLER_ERROR_TYPE:
                if cause.__cause__ is None:
                    raise
                cause = cause.__cause__
            return Response(connection.status or 500, connection.body)
        return Response(connection.status, connection.body)

    async def _serve(self, connection: Connection) -> None:
        await connection.run(self.app)
        background = asyncio.all_tasks() - {asyncio.current_task()}
        if background:
            await asyncio.wait(background, timeout=BACKGROUND_TIMEOUT)


class _NotingConnection(Connection):
    """A connection that notes when the whole response has been sent."""

    def __init__(self, actions: Actions, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._actions = actions
        actions.response_sent = asyncio.Event()

    async def send(self, message: Message) -> None:
        await super().send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._actions.response_sent.set()
