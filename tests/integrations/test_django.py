"""Django: templates of all kinds of patterns, Django REST framework, django-ninja, and what wraps it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import django
import pytest
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.urls import include, path, re_path
from django.views import View

from dualmetrics import Telemetry, asgi
from dualmetrics.testing import Recorded, RequestLabels, fetch
from dualmetrics.testing.asgi_client import BODY_END, DISCONNECT, Connection, http_scope
from dualmetrics.testing.wsgi_client import WsgiCall, request_environ
from dualmetrics.wsgi import set_route
from dualmetrics_django.asgi import DualMetrics as AsgiDualMetrics
from dualmetrics_django.template import template_of
from dualmetrics_django.wsgi import DualMetrics
from tests.django_project import use_django

pytestmark = pytest.mark.frameworks


def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    return HttpResponse("fine")


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError


def get(app: Any, path: str, method: str = "GET") -> int:
    call = WsgiCall(app, **request_environ(method, path))
    call.send_all()
    call.close()
    return call.status


@pytest.mark.parametrize(
    ("route", "template"),
    [
        ("", "/"),
        ("users/<int:id>/", "/users/<int:id>/"),
        ("a.b+c/[x]/", "/a.b+c/[x]/"),
        (r"^$", "/"),
        (r"api/^users/(?P<pk>[^/.]+)/$", "/api/users/<pk>/"),
        (r"^users\.(?P<format>[a-z0-9]+)/?$", "/users.<format>/"),
        (r"^(\d{4})/(?:a|b)/([0-9]{2})/\Z", "/<var>/a|b/<var>/"),
        (r"^a(?:/(?P<b>[^/)]+))?/$", "/a/<b>/"),
        (r"^(?P<a>(x|y\))+)/(?!admin)z$", "/<a>/z"),
        (r"^(?i:x)/(?P<y>\d+)\b", "/x/<y>"),
        (r"(?i)^x/(?<!y)z$", "/x/z"),
    ],
)
def test_the_route_of_a_resolver_match_becomes_a_readable_template(route: str, template: str) -> None:
    assert template_of(route) == template


def test_regular_expressions_and_nested_includes_have_one_template_each(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    inner = [re_path(r"^(?P<year>[0-9]{4})/(\w+)/$", view), path("<slug:title>/", view)]
    use_django(path("blog/", include(([path("posts/", include(inner))], "blog"))))
    app = DualMetrics(get_wsgi_application(), telemetry=telemetry)
    for url in ("/blog/posts/2026/a/", "/blog/posts/1999/b/", "/blog/posts/first/"):
        assert get(app, url) == 200
    assert recorded.counts() == {
        RequestLabels("GET", "/blog/posts/<year>/<var>/", 200): 2,
        RequestLabels("GET", "/blog/posts/<slug:title>/", 200): 1,
    }


def test_routers_and_views_of_rest_framework(telemetry: Telemetry, recorded: Recorded) -> None:
    use_django()  # the framework reads the settings when it is imported
    from rest_framework.response import Response
    from rest_framework.routers import DefaultRouter
    from rest_framework.viewsets import ViewSet

    class Users(ViewSet):  # type: ignore[misc]  # it has no types
        def list(self, request: Any) -> Response:
            return Response([])

        def retrieve(self, request: Any, pk: str) -> Response:
            raise ZeroDivisionError

    router = DefaultRouter()
    router.register("users", Users, basename="user")
    use_django(path("api/", include(router.urls)))
    app = DualMetrics(get_wsgi_application(), telemetry=telemetry)
    assert [get(app, "/api/users/"), get(app, "/api/users/7/"), get(app, "/api/users/", "PUT")] == [
        200,
        500,
        405,
    ]
    assert recorded.counts() == {
        RequestLabels("GET", "/api/users/", 200): 1,
        RequestLabels("GET", "/api/users/<pk>/", 500): 1,
        RequestLabels("PUT", "unmatched", 405): 1,
    }


def test_operations_of_ninja(telemetry: Telemetry, recorded: Recorded) -> None:
    use_django()
    from ninja import NinjaAPI

    api = NinjaAPI(urls_namespace=f"api-{id(telemetry)}")

    @api.get("/items/{item_id}")
    def item(request: HttpRequest, item_id: int) -> dict[str, int]:
        return {"item": item_id}

    use_django(path("api/", api.urls))
    app = DualMetrics(get_wsgi_application(), telemetry=telemetry)
    assert [get(app, "/api/items/7"), get(app, "/api/items/x"), get(app, "/api/items/7", "POST")] == [
        200,
        422,
        405,
    ]
    assert recorded.counts() == {
        RequestLabels("GET", "/api/items/<item_id>", 200): 1,
        RequestLabels("GET", "/api/items/<item_id>", 422): 1,
        RequestLabels("POST", "unmatched", 405): 1,
    }


class Methods(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("fine")


def test_class_based_async_views_on_both_protocols(telemetry: Telemetry, recorded: Recorded) -> None:
    use_django(path("view", Methods.as_view()))
    assert fetch(AsgiDualMetrics(get_asgi_application(), telemetry=telemetry), "GET", "/view").status == 200
    assert get(DualMetrics(get_wsgi_application(), telemetry=telemetry), "/view") == 200
    assert recorded.counts() == {RequestLabels("GET", "/view", 200): 2}
    gc.collect()  # the executor of asgiref, whose thread ends with it


def block(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that answers some requests itself, and replaces the status of others."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.path == "/blocked":
            return HttpResponsePermanentRedirect("/elsewhere")
        response = get_response(request)
        response.status_code = 202
        return response

    return middleware


def test_the_status_is_the_one_that_leaves_the_outermost_middleware(
    telemetry: Telemetry, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_django(path("view", view), path("blocked", view))
    monkeypatch.setattr(settings, "MIDDLEWARE", [f"{__name__}.block"])
    app = DualMetrics(get_wsgi_application(), telemetry=telemetry)
    assert [get(app, "/view"), get(app, "/blocked")] == [202, 301]
    assert recorded.counts() == {
        RequestLabels("GET", "/view", 202): 1,
        RequestLabels("GET", "unmatched", 301): 1,
    }


def named(request: HttpRequest) -> HttpResponse:
    set_route(request.META, "/chosen")
    return HttpResponse("fine")


def test_set_route_of_a_view_takes_precedence(telemetry: Telemetry, recorded: Recorded) -> None:
    use_django(path("view", named))
    assert get(DualMetrics(get_wsgi_application(), telemetry=telemetry), "/view") == 200
    assert recorded.counts() == {RequestLabels("GET", "/chosen", 200): 1}


def test_an_exception_that_django_propagates_keeps_its_route(
    telemetry: Telemetry, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_django(path("fail", fail))
    monkeypatch.setattr(settings, "DEBUG_PROPAGATE_EXCEPTIONS", True)
    app = DualMetrics(get_wsgi_application(), telemetry=telemetry)
    with pytest.raises(ZeroDivisionError):
        get(app, "/fail")
    assert recorded.counts() == {RequestLabels("GET", "/fail", 500): 1}
    assert recorded.active() == {}


def test_what_wraps_the_handler_is_looked_through(
    telemetry: Telemetry, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_django(path("view", view))
    monkeypatch.setattr(settings, "STATIC_URL", "/static/")
    app = DualMetrics(StaticFilesHandler(get_wsgi_application()), telemetry=telemetry)
    assert get(app, "/view") == 200
    assert recorded.counts() == {RequestLabels("GET", "/view", 200): 1}


@pytest.mark.parametrize("wrap", [DualMetrics, AsgiDualMetrics])
def test_an_app_of_another_kind_is_refused(wrap: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match="needs the application of Django that is a"):
        wrap(lambda environ, start_response: [])


def test_an_application_of_the_other_protocol_is_refused() -> None:
    use_django()
    with pytest.raises(TypeError, match="ASGIHandler, not WSGIHandler"):
        AsgiDualMetrics(get_wsgi_application())  # type: ignore[arg-type]  # the wrong protocol


def test_the_plain_middleware_finds_the_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    use_django(path("users/<id>", view))
    app: Any = get_asgi_application()
    assert fetch(asgi.MetricsMiddleware(app, telemetry=telemetry), "GET", "/users/7").status == 200
    assert recorded.counts() == {RequestLabels("GET", "/users/<id>", 200): 1}


@pytest.mark.skipif(django.VERSION < (5, 0), reason="Django cancels views from this version on")
def test_a_client_that_leaves_during_an_async_view_is_a_499(telemetry: Telemetry, recorded: Recorded) -> None:
    running = asyncio.Event()
    bodies = [BODY_END]

    async def wait(request: HttpRequest) -> HttpResponse:
        running.set()
        await asyncio.Event().wait()
        return HttpResponse("never")

    async def receive() -> asgi.Message:
        if bodies:
            return bodies.pop()
        await running.wait()
        return DISCONNECT

    use_django(path("wait", wait))
    app = AsgiDualMetrics(get_asgi_application(), telemetry=telemetry)
    connection = Connection(http_scope("GET", "/wait"))
    asyncio.run(app(connection.scope, receive, connection.send))
    assert (recorded.counts(), connection.sent) == ({RequestLabels("GET", "/wait", 499): 1}, [])


def test_the_lifespan_that_django_does_not_have_is_completed(telemetry: Telemetry) -> None:
    use_django()
    app = AsgiDualMetrics(get_asgi_application(), telemetry=telemetry)
    connection = Connection(
        {"type": "lifespan"}, [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    )
    asyncio.run(connection.run(app))
    assert [message["type"] for message in connection.sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
