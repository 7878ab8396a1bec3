"""Apps of Flask as people compose them: middleware, dispatchers, copied environs, classes of their own."""

from __future__ import annotations

import copy
import gc
import logging
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask_restful  # type: ignore[import-untyped]  # it has no types
import pytest
from fastapi import FastAPI
from flask import Flask, current_app
from quart import Quart
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from dualmetrics import SettingsError, Telemetry
from dualmetrics.http.nesting import PROTOCOLS
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, HandlerError
from dualmetrics.wsgi import Environ, MetricsMiddleware, metrics_app
from dualmetrics_flask import DualMetrics, outermost

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication


@pytest.fixture(autouse=True, params=[True, False], ids=["beside ASGI", "WSGI alone"])
def _may_be_nested(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All must hold whether middleware for ASGI is imported or not."""
    monkeypatch.setattr(PROTOCOLS, "may_nest", request.param)


def make_app(telemetry: Telemetry | None = None, kind: type[Flask] = Flask, **options: Any) -> Flask:
    app = kind("site", **options)
    app.add_url_rule("/users/<int:id>", "user", lambda id: f"user {id}")  # noqa: A006 - the rule's parameter
    app.add_url_rule("/boom/<id>", "boom", fail)
    if telemetry is not None:
        DualMetrics(app, telemetry=telemetry)
    return app


def fail(id: str) -> str:  # noqa: A002 - the rule's parameter
    raise HandlerError


class Refusing:
    """Middleware that answers one path itself, and is configured after it was added."""

    def __init__(self, app: WSGIApplication, status: str = "401 Unauthorized", path: str = "/denied") -> None:
        self.app, self.status, self.paths = app, status, {path}

    def add(self, path: str) -> None:
        self.paths.add(path)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] in self.paths:
            start_response(self.status, [("Content-Length", "0")])
            return [b""]
        return self.app(environ, start_response)


class Copying:
    """Middleware that hands on a copy of the environ."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(dict(environ), start_response)


class Answering:
    """Middleware that answers exceptions with a 503."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return self.app(environ, start_response)
        except HandlerError:
            start_response("503 Busy", [])
            return [b"busy"]


def wrap(app: Flask, middleware: Callable[..., Any], *arguments: Any) -> None:
    app.wsgi_app = middleware(app.wsgi_app, *arguments)  # type: ignore[method-assign]  # Flask's own way


def one(app: WSGIApplication, recorded: Recorded, path: str, **options: Any) -> tuple[Any, Any]:
    """What one request was counted as: route and status."""
    recorded.telemetry.reset()
    Client(app).open(path, buffered=True, **options)
    [(labels, times)] = recorded.counts().items()
    assert (times, recorded.active()) == (1, {})
    return labels.route, labels.status


def test_what_middleware_added_later_answers_is_counted(telemetry: Telemetry, recorded: Recorded) -> None:
    app = make_app(telemetry)
    wrap(app, Refusing)
    wrap(app, ProxyFix)
    wrap(app, Refusing, "429 Too Many Requests", "/limited")
    seen = [one(app, recorded, path) for path in ("/users/1", "/denied", "/limited", "/nowhere")]
    assert seen == [("/users/<int:id>", 200), ("unmatched", 401), ("unmatched", 429), ("unmatched", 404)]


def test_the_status_is_that_of_middleware_added_later(telemetry: Telemetry, recorded: Recorded) -> None:
    app = make_app(telemetry)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    wrap(app, Answering)
    assert one(app, recorded, "/boom/1") == ("/boom/<id>", 503)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("called", ["app", "wsgi_app", "dispatched app", "dispatched wsgi_app"])
def test_each_way_to_call_an_app_is_counted_once(
    before: bool, after: bool, called: str, telemetry: Telemetry, recorded: Recorded
) -> None:
    app = make_app()
    if before:
        wrap(app, Refusing)
    DualMetrics(app, telemetry=telemetry)
    if after:
        wrap(app, Copying)
    target: WSGIApplication = app.wsgi_app if called.endswith("wsgi_app") else app
    if called.startswith("dispatched"):
        target = DispatcherMiddleware(target)
    assert one(target, recorded, "/users/1") == ("/users/<int:id>", 200)
    if before:
        assert one(target, recorded, "/denied") == ("unmatched", 401)


def test_an_app_that_nobody_holds_but_its_wsgi_app_serves(telemetry: Telemetry, recorded: Recorded) -> None:
    wsgi_app = make_app(telemetry).wsgi_app
    gc.collect()
    assert one(wsgi_app, recorded, "/users/1") == ("/users/<int:id>", 200)


def test_middleware_is_configured_where_it_was_put(telemetry: Telemetry, recorded: Recorded) -> None:
    app: Any = make_app()
    wrap(app, Refusing)
    DualMetrics(app, telemetry=telemetry)
    app.wsgi_app.add("/early")
    wrap(app, Refusing)
    assert type(app.wsgi_app) is Refusing
    app.wsgi_app.add("/late")
    assert one(app, recorded, "/early") == one(app, recorded, "/late") == ("unmatched", 401)


class OwnFlask(Flask):
    """A class with an own way to answer and an own way to make requests."""

    def __call__(self, environ: Environ, start_response: StartResponse) -> Any:
        if environ["PATH_INFO"] == "/ping":
            start_response("200 OK", [])
            return [b"pong"]
        return super().__call__(environ, start_response)

    def request_context(self, environ: Environ) -> Any:
        environ["own"] = True
        return super().request_context(environ)


@pytest.mark.parametrize("kind", [Flask, OwnFlask])
def test_an_app_stays_what_it_is(kind: type[Flask], telemetry: Telemetry, recorded: Recorded) -> None:
    bare, app = make_app(kind=kind), make_app(telemetry, kind)
    assert repr(app) == repr(bare)
    assert isinstance(app, kind)
    assert type(app).__doc__ == kind.__doc__
    assert (type(app).__name__, type(app).__qualname__, type(app).__module__) == (
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
    )
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)
    assert one(copy.copy(app), recorded, "/users/1") == ("/users/<int:id>", 200)


def test_what_a_class_of_its_own_answers_is_counted(telemetry: Telemetry, recorded: Recorded) -> None:
    app = make_app(telemetry, OwnFlask)
    assert one(app, recorded, "/ping") == ("unmatched", 200)
    wrap(app, Refusing)
    assert one(app, recorded, "/ping") == ("unmatched", 200)
    assert one(app, recorded, "/denied") == ("unmatched", 401)
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)


def test_an_app_is_freed_without_the_garbage_collector(telemetry: Telemetry) -> None:
    gc.disable()
    try:
        app = make_app(telemetry)
        app.test_client().get("/users/1", buffered=True)
        reference = weakref.ref(app)
        del app
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("path", "wrapped"), [("/users/1", False), ("/metrics", False), ("/users/1", True), ("/denied", True)]
)
def test_a_request_is_freed_without_the_garbage_collector(
    telemetry: Telemetry, path: str, wrapped: bool
) -> None:
    """Flask itself leaves cycles behind if an exception is raised, also that of a 404."""

    class Tracked(dict[str, Any]):
        pass

    app = make_app(telemetry)
    if wrapped:
        wrap(app, Refusing)
    environ = Tracked(make_app().test_client().get(path).request.environ)
    reference = weakref.ref(environ)
    gc.collect()
    gc.disable()
    try:
        body: Any = app(environ, lambda *started: lambda part: None)
        for _ in body:
            pass
        body.close()
        del environ, body
        assert reference() is None
    finally:
        gc.enable()


def test_two_telemetries_both_count_with_middleware_between(telemetry: Telemetry, recorded: Recorded) -> None:
    other = Telemetry(metrics_exporter="prometheus", prometheus_path="/other")
    app = make_app(telemetry)
    wrap(app, Copying)
    DualMetrics(app, telemetry=other)
    wrap(app, Refusing)
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)
    assert one(app, recorded, "/denied") == ("unmatched", 401)
    assert Recorded(other).counts() == {
        RequestLabels("GET", "/users/<int:id>", 200): 1,
        RequestLabels("GET", "unmatched", 401): 1,
    }
    other.shutdown()


def test_what_another_telemetry_excludes_has_its_route(
    telemetry: Telemetry, recorded: Recorded, tmp_path: Path
) -> None:
    other = Telemetry(metrics_exporter="prometheus", exclude="/users/*", directory=str(tmp_path / "other"))
    app = make_app(telemetry)
    DualMetrics(app, telemetry=other, serve_metrics=False)
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)
    assert one(MetricsMiddleware(app, telemetry=other), recorded, "/users/1") == ("/users/<int:id>", 200)
    assert Recorded(other).counts() == {}
    other.shutdown()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("wrapped", [True, False])
def test_what_others_have_put_around_flask_is_called(
    telemetry: Telemetry, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, before: bool, wrapped: bool
) -> None:
    """Sentry replaces ``Flask.__call__``, and others ``Flask.wsgi_app``, in the class."""
    called = []

    def put_around(name: str) -> None:
        method = getattr(Flask, name)

        def around(self: Flask, environ: Environ, start_response: StartResponse) -> Any:
            called.append(name)
            return method(self, environ, start_response)

        monkeypatch.setattr(Flask, name, around)

    if before:
        put_around("__call__")
        put_around("wsgi_app")
        monkeypatch.setattr(outermost, "FLASK_CALL", outermost._flask_call())  # as if imported now
    app = make_app(telemetry)
    if not before:
        put_around("__call__")
        put_around("wsgi_app")
    if wrapped:
        wrap(app, Copying)
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)
    assert called == ["__call__", "wsgi_app"]


def test_more_middleware_and_instances_with_one_telemetry_count_once(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    app = make_app(telemetry)
    wrap(app, Copying)
    DualMetrics(app, telemetry=telemetry)
    app.wsgi_app = MetricsMiddleware(app.wsgi_app, telemetry=telemetry)  # type: ignore[method-assign]
    around = MetricsMiddleware(Copying(MetricsMiddleware(app, telemetry=telemetry)), telemetry=telemetry)
    assert one(around, recorded, "/users/1") == ("/users/<int:id>", 200)
    assert one(around, recorded, "/nowhere") == ("unmatched", 404)


def test_current_app_is_the_app(telemetry: Telemetry, recorded: Recorded) -> None:
    app = make_app()
    with app.app_context():
        DualMetrics(current_app, telemetry=telemetry)
    wrap(app, Refusing)
    assert one(app, recorded, "/denied") == ("unmatched", 401)
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("propagate", [True, False])
def test_a_copied_environ_keeps_the_route_and_the_error(
    before: bool, propagate: bool, tmp_path: object
) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))
    recorded = Recorded(telemetry)
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = propagate
    if before:
        wrap(app, Copying)
    DualMetrics(app, telemetry=telemetry)
    if not before:
        wrap(app, Copying)
    wrap(app, Answering)
    assert one(app, recorded, "/users/1") == ("/users/<int:id>", 200)
    assert one(app, recorded, "/users/x") == ("unmatched", 404)
    assert one(app, recorded, "/boom/1") == ("/boom/<id>", 503 if propagate else 500)
    assert recorded.error_types() == {HANDLER_ERROR_TYPE}
    telemetry.shutdown()


def test_an_error_that_an_extension_handles_is_none(tmp_path: object) -> None:
    """flask-restful and flask-restx tell Flask's signal of every error, also of a handled 404."""
    telemetry = Telemetry(metrics_exporter="prometheus", convention="semconv", directory=str(tmp_path))

    class Item(flask_restful.Resource):  # type: ignore[misc]  # it has no types
        def get(self, status: int) -> None:
            flask_restful.abort(status)

        def post(self, status: int) -> None:
            raise HandlerError

    app = Flask("site")
    flask_restful.Api(app).add_resource(Item, "/items/<int:status>")
    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    assert [client.get(f"/items/{status}").status_code for status in (400, 404, 409)] == [400, 404, 409]
    assert Recorded(telemetry).error_types() == set()
    assert client.get("/items/503").status_code == 503
    assert client.post("/items/1").status_code == 500
    assert Recorded(telemetry).error_types() == {
        "werkzeug.exceptions.ServiceUnavailable",
        HANDLER_ERROR_TYPE,
    }
    telemetry.shutdown()


def test_plain_middleware_around_an_app_learns_its_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    for app in (make_app(telemetry), Copying(make_app(telemetry))):
        around = MetricsMiddleware(Refusing(app), telemetry=telemetry)
        assert one(around, recorded, "/users/1") == ("/users/<int:id>", 200)
        assert one(around, recorded, "/boom/1") == ("/boom/<id>", 500)
        assert one(around, recorded, "/denied") == ("unmatched", 401)


def test_plain_middleware_with_another_telemetry_learns_the_routes(
    telemetry: Telemetry, recorded: Recorded
) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    around = MetricsMiddleware(DispatcherMiddleware(make_app(), {"/a": make_app(telemetry)}), telemetry=other)
    assert one(around, recorded, "/a/users/1") == ("/a/users/<int:id>", 200)
    assert Recorded(other).counts() == recorded.counts()
    other.shutdown()


@pytest.mark.parametrize(
    "options", [{"host_matching": True, "static_host": "a.test"}, {"subdomain_matching": True}]
)
@pytest.mark.parametrize("host", ["a.test", "b.test:8000", "127.0.0.1"])
@pytest.mark.filterwarnings("ignore:Current server name")  # werkzeug's, about the last two
def test_the_page_is_served_whatever_the_host(
    telemetry: Telemetry, recorded: Recorded, options: dict[str, Any], host: str
) -> None:
    app = Flask("site", **options)
    if "subdomain_matching" in options:
        app.config["SERVER_NAME"] = "a.test"
    DualMetrics(app, telemetry=telemetry)
    client = app.test_client()
    client.get("/nowhere", base_url=f"http://{host}")
    assert b"http_requests" in client.get("/metrics", base_url=f"http://{host}").data
    assert recorded.counts() == {RequestLabels("GET", "unmatched", 404): 1}


def test_a_route_of_one_host_on_the_metrics_path_is_refused(telemetry: Telemetry) -> None:
    app = Flask("site", host_matching=True, static_host="a.test")
    app.add_url_rule("/metrics", "my_numbers", lambda: "mine", host="b.test")
    with pytest.raises(SettingsError, match=r"/metrics.*my_numbers"):
        DualMetrics(app, telemetry=telemetry)


@pytest.mark.parametrize("path", ["//metrics", "///metrics", "metrics"])
def test_the_page_has_no_other_path_that_a_proxy_may_not_guard(
    telemetry: Telemetry, recorded: Recorded, path: str
) -> None:
    app = make_app(telemetry)
    app.register_error_handler(404, lambda error: ("own page", 404))
    response = app.test_client().get("/", environ_overrides={"PATH_INFO": path})
    assert (response.status_code, response.data) == (404, b"own page")
    assert recorded.counts() == {RequestLabels("GET", "unmatched", 404): 1}
    assert app.test_client().get("/metrics").status_code == 200


def test_the_page_of_an_app_inside_is_counted_by_nobody(telemetry: Telemetry, recorded: Recorded) -> None:
    other = Telemetry(metrics_exporter="prometheus")
    app = make_app(other)
    wrap(app, DispatcherMiddleware, {"/shop": make_app(telemetry), "/admin/numbers": metrics_app(telemetry)})
    DualMetrics(app, telemetry=telemetry, serve_metrics=False)
    for path in ("/metrics", "/shop/metrics", "/admin/numbers"):
        assert Client(app).get(path).status_code == 200
        assert b'http_connections_active{http_method="GET"} 1' not in Client(app).get(path).data
    assert (recorded.counts(), Recorded(other).counts()) == ({}, {})
    assert (recorded.active(), Recorded(other).active()) == ({}, {})
    other.shutdown()


def test_what_is_excluded_outside_is_recorded_nowhere_inside(tmp_path: object) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", exclude="/internal/*", directory=str(tmp_path))
    app = make_app(telemetry)
    wrap(app, DispatcherMiddleware, {"/internal": make_app(telemetry)})
    assert Client(app).get("/internal/users/1").status_code == 200
    assert Recorded(telemetry).counts() == {}
    telemetry.shutdown()


@pytest.mark.parametrize(
    ("app", "advice"),
    [
        (FastAPI(), "not FastAPI: for Starlette and FastAPI, use dualmetrics_starlette"),
        (Quart("site"), "not Quart: .* for another ASGI app, .*use dualmetrics.asgi.MetricsMiddleware"),
        (make_app().wsgi_app, "not method: pass the Flask app inside it"),
        (ProxyFix(make_app()), "not ProxyFix: pass the Flask app inside it"),
        (ProxyFix(make_app().wsgi_app), "not ProxyFix: pass the Flask app inside it"),
        (Flask, "not the class Flask"),
        (lambda environ, start_response: [], "not function: .*use dualmetrics.wsgi.MetricsMiddleware"),
        ("app:app", "not str: .*use dualmetrics.wsgi.MetricsMiddleware"),
    ],
)
def test_another_kind_of_app_is_named_with_what_to_use(telemetry: Telemetry, app: Any, advice: str) -> None:
    with pytest.raises(TypeError, match=f"DualMetrics needs an app of Flask, {advice}"):
        DualMetrics(app, telemetry=telemetry)
    with pytest.raises(TypeError, match=advice):
        DualMetrics(telemetry=telemetry).init_app(app)


def test_an_extension_for_a_factory_needs_an_app_at_last(telemetry: Telemetry) -> None:
    extension = DualMetrics(None, telemetry=telemetry)
    with pytest.raises(TypeError, match="not NoneType"):
        extension.init_app(None)  # type: ignore[arg-type]  # a mistake


def bypassed(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "no request has passed the middleware" in message]


def test_a_page_that_is_read_past_the_middleware_says_so_once(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    kept = Client(app.wsgi_app)
    DualMetrics(app, telemetry=telemetry)
    kept.get("/users/1")
    assert bypassed(caplog) == []
    for _ in range(2):
        assert kept.get("/metrics").status_code == 200
    [message] = bypassed(caplog)
    assert "connexion" in message
    assert caplog.records[0].levelno == logging.WARNING


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_page_that_is_read_before_the_first_request_says_nothing(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture, wrapped: bool
) -> None:
    app = make_app(telemetry)
    if wrapped:
        wrap(app, Copying)
    assert app.test_client().get("/metrics").status_code == 200
    assert Client(app.wsgi_app).get("/metrics").status_code == 200
    assert bypassed(caplog) == []


def test_a_later_route_on_the_metrics_path_is_named_in_the_log(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("app")
    DualMetrics(app, telemetry=telemetry)
    app.add_url_rule("/metrics", "own", lambda: "own")
    app.add_url_rule("/users", "users", lambda: "users")
    client = app.test_client()
    client.get("/users")
    for _ in range(3):
        assert client.get("/metrics").status_code == 200
    [message] = caplog.messages
    assert "prometheus_path='/metrics' hides the app's own route 'own'" in message
