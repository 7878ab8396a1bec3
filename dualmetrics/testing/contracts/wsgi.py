"""The contract for integrations of WSGI frameworks."""

from __future__ import annotations

from typing import TYPE_CHECKING
from wsgiref.validate import validator

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing.contracts.http import HttpContract
from dualmetrics.testing.recorded import Recorded
from dualmetrics.testing.site import Actions, HandlerError, Response, Site
from dualmetrics.testing.wsgi_client import WsgiCall, request_environ
from dualmetrics.wsgi import MetricsMiddleware

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class WsgiContract(HttpContract):
    """The cases of `HttpContract`, and those that only WSGI has. Subclass it and write ``make_app``."""

    def make_site(self, app: WSGIApplication, actions: Actions) -> Site:
        """Call the app as a WSGI server does."""
        return WsgiSite(app)

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
