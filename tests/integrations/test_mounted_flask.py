"""Flask apps that are mounted in other apps of the process, behind proxies and servers that add a prefix."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from dualmetrics import Telemetry
from dualmetrics.http.mounts import MAX_PREFIXES
from dualmetrics.http.nesting import PROTOCOLS
from dualmetrics.testing.recorded import Recorded
from dualmetrics.wsgi import Environ, MetricsMiddleware, set_route
from dualmetrics_flask import DualMetrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

ROUTE = "/users/<int:id>"


@pytest.fixture(autouse=True, params=[True, False], ids=["beside ASGI", "WSGI alone"])
def _may_be_nested(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All must hold whether middleware for ASGI is imported or not."""
    monkeypatch.setattr(PROTOCOLS, "may_nest", request.param)


def make_app(telemetry: Telemetry) -> Flask:
    app = Flask("site")
    app.add_url_rule(ROUTE, "user", lambda id: f"user {id}")  # noqa: A006 - the rule's parameter
    DualMetrics(app, telemetry=telemetry)
    return app


def routes(recorded: Recorded) -> set[Any]:
    return {labels.route for labels in recorded.counts()}


def route(app: WSGIApplication, recorded: Recorded, path: str, **options: Any) -> Any:
    """The route by which one request was counted."""
    recorded.telemetry.reset()
    assert Client(app).get(path, buffered=True, **options).status_code == 200
    [label] = routes(recorded)
    assert sum(recorded.counts().values()) == 1
    return label


def dispatched(telemetry: Telemetry) -> DispatcherMiddleware:
    return DispatcherMiddleware(make_app(telemetry), {"/a": make_app(telemetry), "/b/c": make_app(telemetry)})


@pytest.mark.parametrize("kept", ["REQUEST_URI", "RAW_URI", ""])
def test_apps_under_a_dispatcher_share_no_series(telemetry: Telemetry, recorded: Recorded, kept: str) -> None:
    app = forgetting({"REQUEST_URI", "RAW_URI"} - {kept}, dispatched(telemetry))
    for path, prefix in (("/users/1", ""), ("/a/users/1", "/a"), ("/b/c/users/1", "/b/c")):
        assert route(app, recorded, path) == prefix + ROUTE


def forgetting(keys: set[str], app: WSGIApplication) -> WSGIApplication:
    """A server that does not give these keys."""

    def server(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return app({key: value for key, value in environ.items() if key not in keys}, start_response)

    return server


def test_an_app_that_mounts_others_or_itself(telemetry: Telemetry, recorded: Recorded) -> None:
    app = make_app(telemetry)
    mounts: dict[str, WSGIApplication] = {"/a": make_app(telemetry), "/self": app.wsgi_app}
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, mounts)  # type: ignore[method-assign]  # Flask's way
    for path, prefix in (("/users/1", ""), ("/a/users/1", "/a"), ("/self/users/1", "/self")):
        assert route(app, recorded, path) == prefix + ROUTE
    assert Client(app).get("/self/metrics", buffered=True).status_code == 200
    assert routes(recorded) == {"/self" + ROUTE}


def test_plain_middleware_around_a_dispatcher(telemetry: Telemetry, recorded: Recorded) -> None:
    app = MetricsMiddleware(dispatched(telemetry), telemetry=telemetry)
    for path, prefix in (("/users/1", ""), ("/a/users/1", "/a"), ("/b/c/users/1", "/b/c")):
        assert route(app, recorded, path) == prefix + ROUTE


def test_plain_apps_that_name_their_routes(telemetry: Telemetry, recorded: Recorded) -> None:
    def plain(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        set_route(environ, "/items/<id>")
        start_response("200 OK", [])
        return [b"item"]

    inside = MetricsMiddleware(plain, telemetry=telemetry)
    app = DispatcherMiddleware(inside, {"/a": inside})
    for outermost in (app, MetricsMiddleware(app, telemetry=telemetry)):
        assert route(outermost, recorded, "/items/1") == "/items/<id>"
        assert route(outermost, recorded, "/a/items/1") == "/a/items/<id>"


def recipe(app: WSGIApplication) -> WSGIApplication:
    """The common recipe for an app behind a proxy that keeps the prefix in the path."""

    def prefixed(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        prefix = environ.get("HTTP_X_SCRIPT_NAME", "")
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
        return app(environ, start_response)

    return prefixed


def proxy_fix(app: WSGIApplication) -> WSGIApplication:
    return ProxyFix(app, x_prefix=1)


Wrap = Callable[["WSGIApplication"], "WSGIApplication"]


@pytest.mark.parametrize(
    ("wrap", "header", "path"),
    [(proxy_fix, "X-Forwarded-Prefix", "/users/1"), (recipe, "X-Script-Name", "/proxy/{}/users/1")],
)
@pytest.mark.parametrize("kept", ["REQUEST_URI", ""])
@pytest.mark.parametrize("place", ["before", "after", "outside"])
def test_what_a_proxy_says_in_a_header_is_no_part_of_the_route(
    telemetry: Telemetry, recorded: Recorded, wrap: Wrap, header: str, path: str, kept: str, place: str
) -> None:
    site = Flask("site")
    site.add_url_rule(ROUTE, "user", lambda id: f"user {id}")  # noqa: A006 - the rule's parameter
    if place == "before":
        site.wsgi_app = wrap(site.wsgi_app)  # type: ignore[assignment, method-assign]
    DualMetrics(site, telemetry=telemetry)
    if place == "after":
        site.wsgi_app = wrap(site.wsgi_app)  # type: ignore[assignment, method-assign]
    app = forgetting({"REQUEST_URI", "RAW_URI"} - {kept}, wrap(site) if place == "outside" else site)
    for number in range(3):
        assert route(app, recorded, path.format(number), headers={header: f"/proxy/{number}"}) == ROUTE


@pytest.mark.parametrize("kept", ["REQUEST_URI", ""])
def test_a_proxy_before_a_dispatcher(telemetry: Telemetry, recorded: Recorded, kept: str) -> None:
    app = forgetting({"REQUEST_URI", "RAW_URI"} - {kept}, proxy_fix(dispatched(telemetry)))
    headers = {"X-Forwarded-Prefix": "/proxy"}
    assert route(app, recorded, "/a/users/1", headers=headers) == "/a" + ROUTE
    assert route(app, recorded, "/users/1", headers=headers) == ROUTE


def server(environ: dict[str, str], app: WSGIApplication) -> WSGIApplication:
    """A server that gives these keys."""

    def serve(request: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return app({**request, **environ}, start_response)

    return serve


SERVERS = {
    "mod_wsgi": {"mod_wsgi.script_name": "/proxy", "REQUEST_URI": "/proxy/a/users/1?q"},
    "gunicorn, header": {"HTTP_SCRIPT_NAME": "/proxy", "RAW_URI": "/proxy/a/users/1"},
    "a proxy that takes the prefix off": {"REQUEST_URI": "/a/users/1"},
    "the same, with a whole URL": {"REQUEST_URI": "http://site:80/a/users/1?q=/proxy"},
    "the same, with escapes": {"REQUEST_URI": "/%61/users/1"},
}


@pytest.mark.parametrize("kind", SERVERS)
def test_what_the_server_adds_is_no_part_of_the_route(
    telemetry: Telemetry, recorded: Recorded, kind: str
) -> None:
    app = server({"SCRIPT_NAME": "/proxy", "PATH_INFO": "/a/users/1", **SERVERS[kind]}, dispatched(telemetry))
    assert route(app, recorded, "/") == "/a" + ROUTE


def test_what_the_environment_of_the_server_says_is_no_part_of_the_route(
    telemetry: Telemetry, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/proxy/")
    environ = {"SCRIPT_NAME": "/proxy", "PATH_INFO": "/a/users/1", "RAW_URI": "/proxy/a/users/1"}
    assert route(server(environ, dispatched(telemetry)), recorded, "/") == "/a" + ROUTE


@pytest.mark.parametrize(
    ("root_path", "script_name", "prefix"),
    [
        ("/proxy", "/proxy", ""),
        ("/proxy", "/proxy/a", "/a"),
        ("/proxy/", "/proxy/a", "/a"),
        ("/proxy", "/a", "/a"),
        ("/proxy", "/proxyless", "/proxyless"),
        ("/", "/proxy", "/proxy"),
        ("/", "", ""),
        ("/grün", "/grün/é", "/é"),
    ],
)
def test_the_setting_says_what_is_no_part_of_the_route(
    tmp_path: object, root_path: str, script_name: str, prefix: str
) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus", root_path=root_path, directory=str(tmp_path))
    environ = {"SCRIPT_NAME": script_name.encode().decode("latin-1"), "PATH_INFO": "/users/1"}
    app = server(environ, make_app(telemetry))
    assert route(app, Recorded(telemetry), "/") == prefix + ROUTE
    telemetry.shutdown()


@pytest.mark.parametrize("outside", [True, False])
def test_an_app_for_each_user_makes_no_series_for_each(
    telemetry: Telemetry, recorded: Recorded, outside: bool
) -> None:
    apps: dict[str, Flask] = {}

    def dispatch(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Flask's recipe "Dispatch by Path"."""
        _, user, rest = environ["PATH_INFO"].split("/", 2)
        app = apps.setdefault(user, apps.get(user) or make_app(telemetry))
        return app({**environ, "SCRIPT_NAME": "/" + user, "PATH_INFO": "/" + rest}, start_response)

    app = MetricsMiddleware(dispatch, telemetry=telemetry) if outside else dispatch
    users = 2 * MAX_PREFIXES
    for user in [*range(users), 0]:
        Client(app).get(f"/user{user}/users/1", buffered=True)
    assert len(routes(recorded)) == MAX_PREFIXES + 1
    assert sum(recorded.counts().values()) == users + 1
    assert "/{mount}" + ROUTE in routes(recorded)
