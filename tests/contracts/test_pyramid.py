"""The contract on Pyramid: routes, and an include with a route prefix."""

from __future__ import annotations

from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.response import Response

from dualmetrics import Telemetry
from dualmetrics.middleware import METHODS
from dualmetrics.testing import Actions, HandlerError, Recorded, RequestLabels, Site, WsgiContract
from dualmetrics_pyramid import DualMetrics

pytestmark = pytest.mark.frameworks


class TestPyramid(WsgiContract):
    slash_redirect = 307

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Any:
        def find(request: Any) -> Response:
            actions.note_active()
            return Response("found", 404 if request.matchdict["id"] == "missing" else 200)

        def boom(request: Any) -> Response:
            raise HandlerError

        def add(config: Configurator, name: str, pattern: str, view: Any) -> None:
            config.add_route(name, pattern)
            config.add_view(view, route_name=name, request_method="GET")

        config = Configurator()
        add(config, "user", "/users/{id}", find)
        config.include(lambda inner: add(inner, "item", "/items/{id}", find), route_prefix="/api/v1")
        add(
            config,
            "status",
            "/status/{code}",
            lambda request: Response("", request.matchdict["code"] + " Some"),
        )
        add(config, "boom", "/boom", boom)
        add(config, "stream", "/stream", lambda request: Response(app_iter=actions.parts()))
        add(config, "broken", "/broken", lambda request: Response(app_iter=actions.broken_parts()))
        add(config, "later", "/later", lambda request: Response(app_iter=actions.late_body()))
        add(config, "folder", "/folder/", lambda request: Response("fine"))
        add(config, "health", "/health", lambda request: Response("fine"))
        config.add_notfound_view(lambda request: Response("no", 404), append_slash=True)
        DualMetrics(config, telemetry=telemetry)
        return config.make_wsgi_app()

    def test_405_has_no_route(self, site: Site, recorded: Recorded) -> None:
        """Pyramid answers 404 if no view of a route accepts the method."""
        for path in ("/users/1", "/api/v1/items/1", "/folder/"):
            assert site.request("DELETE", path).status == 404
        assert recorded.counts() == {RequestLabels("DELETE", "unmatched", 404): 3}

    @pytest.mark.parametrize("method", sorted(METHODS - {"GET", "HEAD", "OPTIONS"}))
    def test_known_methods_are_recorded_by_name(self, site: Site, recorded: Recorded, method: str) -> None:
        """The methods of RFC 9110, ``PATCH`` and ``QUERY`` keep their names."""
        assert site.request(method, "/users/1").status == 404
        assert recorded.counts() == {RequestLabels(method, "unmatched", 404): 1}
