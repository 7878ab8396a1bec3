"""The contract for integrations of WSGI frameworks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.validate import validator

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing.contracts.http import HttpContract
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, Actions, HandlerError, Response, Site
from dualmetrics.testing.wsgi_client import WsgiCall, request_environ
from dualmetrics.wsgi import Environ, MetricsMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

AddMiddleware = Callable[["WSGIApplication"], "WSGIApplication"]
"""Wraps an app in middleware."""


class WsgiContract(HttpContract):
    """The cases of `HttpContract`, and those that only WSGI has. Subclass it and write ``make_app``."""

    def make_site(self, app: WSGIApplication, actions: Actions) -> Site:
        """Call the app as a WSGI server does."""
        return WsgiSite(app)

    def add_middleware(self, app: Any, middleware: AddMiddleware) -> WSGIApplication | None:
        """Add WSGI middleware to the site, as users of the framework do after `make_app`. Returns the app.

        None if the framework has no place for middleware, or if the integration is no part of the app.
        """
        return None

    @pytest.mark.parametrize("path", ["/users/1", "/stream", "/later", "/status/404", "/folder/", "/metrics"])
    def test_app_and_server_see_valid_wsgi(self, site: Site, recorded: Recorded, path: str) -> None:
        """The validator of the standard library finds no fault on either side of the middleware."""
        other = Telemetry(metrics_exporter="prometheus", prometheus_path="/other")
        app = validator(MetricsMiddleware(validator(site.app), telemetry=other))
        call = WsgiCall(app, PATH_INFO=path, QUERY_STRING="")
        assert call.send_all() or path.endswith("404")
        call.close()
        assert recorded.active() == {}
        other.shutdown()

    def test_middleware_added_twice_counts_once(
        self, site: Site, telemetry: Telemetry, recorded: Recorded, actions: Actions
    ) -> None:
        """More middleware with the same Telemetry around the app does not count a request again."""
        app = MetricsMiddleware(MetricsMiddleware(site.app, telemetry=telemetry), telemetry=telemetry)
        WsgiCall(app, PATH_INFO="/users/1").send_all()
        assert actions.active_during_request == [{"GET": 1}]
        assert sum(recorded.counts().values()) == 1
        assert recorded.active() == {}

    def test_two_telemetries_both_count(self, site: Site, recorded: Recorded) -> None:
        """Middleware with another Telemetry around the app counts too, by the same template."""
        other = Telemetry(metrics_exporter="prometheus")
        get(MetricsMiddleware(site.app, telemetry=other), "/users/1")
        counts = {RequestLabels("GET", self.user_route, 200): 1}
        assert (recorded.counts(), Recorded(other).counts()) == (counts, counts)
        other.shutdown()

    def test_a_copied_environ_keeps_its_route(
        self, site: Site, telemetry: Telemetry, recorded: Recorded
    ) -> None:
        """Middleware may hand on a copy of the environ. The request is counted once, with its route."""
        app = MetricsMiddleware(copying(site.app), telemetry=telemetry)
        for path in ("/users/1", "/api/v1/items/1", "/nowhere"):
            get(app, path)
        assert recorded.counts() == {
            RequestLabels("GET", self.user_route, 200): 1,
            RequestLabels("GET", self.item_route, 200): 1,
            RequestLabels("GET", "unmatched", 404): 1,
        }

    def test_later_middleware_is_counted(self, site: Site, recorded: Recorded) -> None:
        """What middleware answers that was added after the integration is counted."""
        app = self.add_middleware(site.app, refusing)
        if app is None:
            return
        for path in ("/refused", "/users/1"):
            get(app, path)
        assert recorded.counts() == {
            RequestLabels("GET", "unmatched", 401): 1,
            RequestLabels("GET", self.user_route, 200): 1,
        }

    def test_later_middleware_may_copy_the_environ(self, site: Site, recorded: Recorded) -> None:
        """Middleware between the integration and the framework hides neither the route nor an error."""
        app = self.add_middleware(site.app, copying)
        if app is None:
            return
        for path in ("/users/1", "/boom", "/nowhere"):
            WsgiSite(app).request("GET", path)
        assert recorded.counts() == {
            RequestLabels("GET", self.user_route, 200): 1,
            RequestLabels("GET", "/boom", 500): 1,
            RequestLabels("GET", "unmatched", 404): 1,
        }
        assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())

    @pytest.mark.parametrize("is_outside_recorded", [True, False])
    def test_a_mount_belongs_to_the_route(
        self, site: Site, telemetry: Telemetry, recorded: Recorded, is_outside_recorded: bool
    ) -> None:
        """An app that is mounted in another one is counted once, with the prefix of the mount."""
        app = mounting("/shop", site.app)
        if is_outside_recorded:
            app = MetricsMiddleware(app, telemetry=telemetry)
        for path in ("/shop/users/1", "/shop/nowhere"):
            get(app, path)
        assert recorded.counts() == {
            RequestLabels("GET", "/shop" + self.user_route, 200): 1,
            RequestLabels("GET", "unmatched", 404): 1,
        }

    def test_the_prefix_of_a_proxy_does_not_belong_to_the_route(self, site: Site, recorded: Recorded) -> None:
        """What stands in SCRIPT_NAME because a proxy has taken it off the path is no part of the route."""
        for number in range(3):
            get(site.app, "/users/1", SCRIPT_NAME=f"/proxy{number}", REQUEST_URI="/users/1")
        assert recorded.counts() == {RequestLabels("GET", self.user_route, 200): 3}

    def test_the_page_of_a_mounted_app_is_not_counted(self, site: Site, recorded: Recorded) -> None:
        """What an app inside excludes, its page above all, is counted by nobody."""
        other = Telemetry(metrics_exporter="prometheus")
        app = MetricsMiddleware(mounting("/shop", site.app), telemetry=other)
        assert get(app, "/shop/metrics").status == 200
        assert (recorded.counts(), Recorded(other).counts()) == ({}, {})
        other.shutdown()

    def test_paths_are_excluded_below_a_root_path(self, site: Site, recorded: Recorded) -> None:
        """Excluded paths do not include the root path of a proxy or a mount."""
        for path in ("/proxy/health", "/proxy/internal/x", "/proxy/metrics"):
            get(mounting("/proxy", site.app), path)
        assert recorded.counts() == {}


def get(app: WSGIApplication, path: str, **environ: str) -> Response:
    """Send a request. ``environ`` replaces or adds keys of the environ."""
    call = WsgiCall(app, **{**request_environ("GET", path), **environ})
    response = Response(call.status, b"".join(call.send_all()))
    call.close()
    return response


def copying(app: WSGIApplication) -> WSGIApplication:
    """Middleware that hands on a copy of the environ."""
    return lambda environ, start_response: app({**environ}, start_response)


def refusing(app: WSGIApplication) -> WSGIApplication:
    """Middleware that answers a path with 401."""

    def call(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/refused":
            start_response("401 Unauthorized", [("Content-Length", "0")])
            return [b""]
        return app(environ, start_response)

    return call


def mounting(prefix: str, app: WSGIApplication) -> WSGIApplication:
    """An app that calls ``app`` below a prefix, by the rules of PEP 3333."""

    def call(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert environ["PATH_INFO"].startswith(prefix)
        environ["SCRIPT_NAME"] += prefix
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
        return app(environ, start_response)

    return call


class WsgiSite:
    """A WSGI app, called by hand."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def request(self, method: str, path: str) -> Response:
        """Send one request. Raises what the app raises, except `HandlerError`."""
        call = None
        try:
            call = WsgiCall(self.app, **request_environ(method, path))
            return Response(call.status, b"".join(call.send_all()))
        except HandlerError:
            return Response(call.status if call else 500, b"")
        finally:
            if call:
                call.close()
