"""The contract on Falcon: WSGI and ASGI. It has no routers with a prefix, so that one is part of a route."""

from __future__ import annotations

from typing import Any

import falcon.asgi
import pytest

import dualmetrics_falcon.asgi
import dualmetrics_falcon.wsgi
from dualmetrics import Telemetry
from dualmetrics.testing import (
    Actions,
    AsgiContract,
    HandlerError,
    Recorded,
    RequestLabels,
    Site,
    WsgiContract,
    fetch,
)

pytestmark = pytest.mark.frameworks

YOUNGER = frozenset({"QUERY"} - set(falcon.COMBINED_METHODS))


class Resource:
    """A resource whose GET is a function."""

    def __init__(self, on_get: Any) -> None:
        self.on_get = on_get


def get_user(actions: Actions, response: Any, user: str) -> None:
    actions.note_active()
    response.status = 404 if user == "missing" else 200
    response.text = "found"


class TestFalconOnWsgi(WsgiContract):
    status_route = "/status/{code:int}"
    younger_methods = YOUNGER

    def make_app(self, telemetry: Telemetry, actions: Actions) -> dualmetrics_falcon.wsgi.DualMetrics:
        def boom(request: Any, response: Any) -> None:
            raise HandlerError

        app = falcon.App()
        user = Resource(lambda request, response, id: get_user(actions, response, id))  # noqa: A006
        app.add_route("/users/{id}", user)
        app.add_route("/api/v1/items/{id}", user)
        app.add_route("/status/{code:int}", Resource(lambda _, response, code: set_to(response, status=code)))
        app.add_route("/boom", Resource(boom))
        app.add_route("/stream", Resource(lambda _, response: set_to(response, stream=actions.parts())))
        app.add_route(
            "/broken", Resource(lambda _, response: set_to(response, stream=actions.broken_parts()))
        )
        app.add_route("/later", Resource(lambda _, response: set_to(response, stream=actions.late_body())))
        for path in ("/folder/", "/health"):
            app.add_route(path, Resource(lambda _, response: set_to(response, text="fine")))
        return dualmetrics_falcon.wsgi.DualMetrics(app, telemetry=telemetry)


def set_to(response: Any, **attributes: Any) -> None:
    for name, value in attributes.items():
        setattr(response, name, value)


def coroutine(function: Any) -> Any:
    """The same as a coroutine function."""

    async def responder(request: Any, response: Any, **params: Any) -> None:
        function(request, response, **params)

    return responder


class TestFalconOnAsgi(AsgiContract):
    status_route = "/status/{code:int}"
    younger_methods = YOUNGER

    def test_a_mount_belongs_to_the_route(self, site: Site, telemetry: Telemetry, recorded: Recorded) -> None:
        """Falcon takes the root path for a part of the path, so that a mounted app has it in its routes."""
        assert fetch(site.app, "GET", "/shop/users/1", root_path="/shop").status == 404
        assert fetch(site.app, "GET", "/api/v1/items/1", root_path="/api").status == 200
        assert recorded.counts() == {
            RequestLabels("GET", "unmatched", 404): 1,
            RequestLabels("GET", "/api/v1/items/{id}", 200): 1,
        }

    def make_app(self, telemetry: Telemetry, actions: Actions) -> dualmetrics_falcon.asgi.DualMetrics:
        async def boom(request: Any, response: Any) -> None:
            raise HandlerError

        def later(request: Any, response: Any) -> None:
            response.text = "done"
            response.schedule(actions.work_after_response)

        def get(path: str, function: Any) -> None:
            app.add_route(path, Resource(coroutine(function)))

        app: Any = falcon.asgi.App()
        for path in ("/users/{id}", "/api/v1/items/{id}"):
            get(path, lambda request, response, id: get_user(actions, response, id))  # noqa: A006
        get("/status/{code:int}", lambda _, response, code: set_to(response, status=code))
        get("/stream", lambda _, response: set_to(response, stream=actions.async_parts()))
        get("/broken", lambda _, response: set_to(response, stream=actions.async_broken_parts()))
        get("/later", later)
        for path in ("/folder/", "/health"):
            get(path, lambda _, response: set_to(response, text="fine"))
        app.add_route("/boom", Resource(boom))
        return dualmetrics_falcon.asgi.DualMetrics(app, telemetry=telemetry)
