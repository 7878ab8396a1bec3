"""Records an app outside of all its middleware, also of what is added later."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import flask.app
from flask import Flask

from dualmetrics.wsgi import Environ, MetricsMiddleware, is_recorded_by, may_be_nested, note_request
from dualmetrics_flask.rules import REQUEST_KEY, RuleNamer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics import Telemetry


def _flask_call() -> object:
    """Flask's own ``__call__``, which calls ``wsgi_app``. None if it was replaced, as Sentry does."""
    call = inspect.getattr_static(Flask, "__call__")
    is_own = isinstance(call, FunctionType) and call.__code__.co_filename == flask.app.__file__
    return call if is_own else None


FLASK_CALL = _flask_call()
"""To call ``wsgi_app`` in its place saves some time."""


def record_outermost(app: Flask, telemetry: Telemetry, *, serve_metrics: bool) -> MetricsMiddleware:
    """Let the requests of an app pass through the middleware first, whoever calls it.

    Middleware is added by ``app.wsgi_app = Middleware(app.wsgi_app)``, at any time. So the app, which servers
    call, gets a class of its own. The class does not refer to the app, which would be a reference cycle.
    """
    base: Any = app.__class__
    names = RuleNamer(app)
    # Each call names the app, so none is wrapped.
    middleware = MetricsMiddleware(
        base.wsgi_app, telemetry=telemetry, route_namer=names, serve_metrics=serve_metrics
    )
    recorded = recorded_class(base, telemetry, middleware, names)
    if "wsgi_app" in app.__dict__:
        app.wsgi_app = WrappedApp(app.wsgi_app, middleware, names)  # type: ignore[method-assign]  # Flask's way
    is_plain = base.__call__ is FLASK_CALL and base.wsgi_app is Flask.wsgi_app
    if "wsgi_app" in app.__dict__ or not is_plain or may_be_nested():
        recorded = noting_class(recorded, names)
    app.__class__ = recorded
    app.__dict__ = {**app.__dict__}  # CPython reads it faster than what the change of the class leaves
    return middleware


def is_recorded_with(app: Flask, telemetry: Telemetry) -> bool:
    """Whether the requests of an app pass through the middleware for this Telemetry."""
    return any(vars(each).get("recorded_with") is telemetry for each in type(app).__mro__)


def recorded_class(base: Any, telemetry: Telemetry, middleware: MetricsMiddleware, names: RuleNamer) -> Any:
    """Return a class for one app, whose class is ``base``."""
    serve = middleware.__call__  # faster to call than the object

    def noted_wsgi_app(app: Any, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        note_request(environ, names)
        return base.wsgi_app(app, environ, start_response)  # type: ignore[no-any-return]

    class Recorded(base):  # type: ignore[misc]  # known at run time only
        recorded_with = telemetry

        def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            inside = self.__dict__.get("wsgi_app")
            if base.__call__ is not FLASK_CALL:
                inside = MethodType(base.__call__, self)  # faster than `super`
            elif inside is None:
                inside = MethodType(base.wsgi_app, self)
            elif type(inside) is WrappedApp:
                inside = inside.inside
            return serve(environ, start_response, inside)

        def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if is_recorded_by(environ, names):
                return noted_wsgi_app(self, environ, start_response)
            return serve(environ, start_response, MethodType(noted_wsgi_app, self))

    return named_like(base, Recorded)


def noting_class(base: Any, names: RuleNamer) -> Any:
    """Return a class for an app with middleware that calls Flask's own ``wsgi_app``, past `Recorded`."""

    class Noting(base):  # type: ignore[misc]  # known at run time only
        def request_context(self, environ: Environ) -> Any:
            context = base.request_context(self, environ)
            if note_request(environ, names):
                environ[REQUEST_KEY] = context.request
            return context

    return named_like(base, Noting)


def named_like(base: Any, kind: Any) -> Any:
    """Return a subclass of ``base`` that shows itself as ``base``."""
    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(kind, name, getattr(base, name))
    return kind


class WrappedApp:
    """What was in ``app.wsgi_app`` before. Has its attributes, as some middleware is configured there."""

    def __init__(self, app: WSGIApplication, middleware: MetricsMiddleware, names: RuleNamer) -> None:
        self.inside = app
        self._middleware = middleware
        self._names = names

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if is_recorded_by(environ, self._names):
            return self.inside(environ, start_response)
        return self._middleware(environ, start_response, self.inside)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "inside"), name)
