"""The contract on Django: WSGI and ASGI, path converters, and an included URLconf with a prefix."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import include, path
from django.views.decorators.http import require_GET

import dualmetrics_django.asgi
import dualmetrics_django.wsgi
from dualmetrics import Telemetry
from dualmetrics.testing import Actions, AsgiContract, HandlerError, WsgiContract
from tests.django_project import use_django

pytestmark = pytest.mark.frameworks


class Views:
    """The views of the site, those that WSGI and ASGI have in common."""

    def __init__(self, actions: Actions) -> None:
        self.actions = actions

    def find(self, request: HttpRequest, id: str) -> HttpResponse:  # noqa: A002 - as in the template
        self.actions.note_active()
        return HttpResponse("found", status=404 if id == "missing" else 200)

    def status(self, request: HttpRequest, code: int) -> HttpResponse:
        response = HttpResponse()
        response.status_code = code  # the constructor allows no others than 100 to 599
        return response

    def boom(self, request: HttpRequest) -> HttpResponse:
        raise HandlerError

    def fine(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("fine")

    def patterns(self) -> list[Any]:
        """The URL patterns of these views."""
        views = {"boom": self.boom, "folder/": self.fine, "health": self.fine}
        return [
            path("users/<id>", require_GET(self.find)),
            path("api/v1/", include([path("items/<id>", require_GET(self.find))])),
            path("status/<int:code>", self.status),
            *(path(route, require_GET(view)) for route, view in views.items()),
        ]


class WsgiViews(Views):
    def patterns(self) -> list[Any]:
        return [
            *super().patterns(),
            path("stream", lambda request: StreamingHttpResponse(self.actions.parts())),
            path("broken", lambda request: StreamingHttpResponse(self.actions.broken_parts())),
            path("later", lambda request: StreamingHttpResponse(self.actions.late_body())),
        ]


class AsgiViews(Views):
    async def later(self, request: HttpRequest) -> HttpResponse:
        self.task = asyncio.create_task(self.actions.work_after_response())
        return HttpResponse("done")

    def broken(self, request: HttpRequest) -> StreamingHttpResponse:
        request.close()  # Django leaves the file of the request's body open if the response fails
        return StreamingHttpResponse(self.actions.async_broken_parts())

    def patterns(self) -> list[Any]:
        return [
            *super().patterns(),
            path("stream", lambda request: StreamingHttpResponse(self.actions.async_parts())),
            path("broken", self.broken),
            path("later", self.later),
        ]


class TestDjangoOnWsgi(WsgiContract):
    user_route = "/users/<id>"
    item_route = "/api/v1/items/<id>"
    status_route = "/status/<int:code>"
    slash_redirect = 301

    def make_app(self, telemetry: Telemetry, actions: Actions) -> dualmetrics_django.wsgi.DualMetrics:
        use_django(*WsgiViews(actions).patterns())
        return dualmetrics_django.wsgi.DualMetrics(get_wsgi_application(), telemetry=telemetry)


class TestDjangoOnAsgi(AsgiContract):
    user_route = "/users/<id>"
    item_route = "/api/v1/items/<id>"
    status_route = "/status/<int:code>"
    slash_redirect = 301

    def make_app(self, telemetry: Telemetry, actions: Actions) -> dualmetrics_django.asgi.DualMetrics:
        use_django(*AsgiViews(actions).patterns())
        return dualmetrics_django.asgi.DualMetrics(get_asgi_application(), telemetry=telemetry)
