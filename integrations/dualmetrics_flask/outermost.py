"""Records an app outside of all its middleware, also of what is added later."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask

from dualmetrics.wsgi import Environ, MetricsMiddleware, is_recorded_by, note_request
from dualmetrics_flask.rules import RuleNamer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics import Telemetry


def record_outermost(app: Flask, telemetry: Telemetry, *, serve_metrics: bool) -> None:
    """Let the requests of an app pass through the middleware first, whoever calls it.

    Middleware is added by ``app.wsgi_app = Middleware(app.wsgi_app)``, at any time. So the app, which servers
    call, gets a class of its own. The class does not refer to the app, which would be a reference cycle.
    """
    base: Any = app.__class__
    names = RuleNamer()
    # Each call names the app, so none is wrapped.
    middleware = MetricsMiddleware(
        base.wsgi_app, telemetry=telemetry, route_namer=names, serve_metrics=serve_metrics
    )
    if "wsgi_app" in app.__dict__:
        app.wsgi_app = WrappedApp(app.wsgi_app, middleware, names)  # type: ignore[method-assign]  # Flask's way
    app.__class__ = recorded_class(base, telemetry, middleware, names)


def is_recorded_with(app: Flask, telemetry: Telemetry) -> bool:
    """Whether the requests of an app pass through the middleware for this Telemetry."""
    return any(vars(each).get("recorded_with") is telemetry for each in type(app).__mro__)


def recorded_class(base: Any, telemetry: Telemetry, middleware: MetricsMiddleware, names: RuleNamer) -> Any:
    """Return a class for one app, whose class is ``base``."""
    is_plain = base.__call__ is Flask.__call__

    class Recorded(base):  # type: ignore[misc]  # known at run time only
        __doc__ = base.__doc__
        __module__ = base.__module__
        __qualname__ = base.__qualname__
        recorded_with = telemetry

        def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            is_unwrapped = is_plain and "wsgi_app" not in self.__dict__
            app = super().wsgi_app if is_unwrapped else super().__call__
            return middleware.serve(app, environ, start_response)

        def wsgi_app(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
            if is_recorded_by(environ, names):
                return super().wsgi_app(environ, start_response)  # type: ignore[no-any-return]
            return middleware.serve(super().wsgi_app, environ, start_response)

        def request_context(self, environ: Environ) -> Any:
            context = super().request_context(environ)
            note_request(environ, names, context.request)
            return context

    Recorded.__name__ = base.__name__
    return Recorded


class WrappedApp:
    """What was in ``app.wsgi_app`` before. Has its attributes, as some middleware is configured there."""

    def __init__(self, app: WSGIApplication, middleware: MetricsMiddleware, names: RuleNamer) -> None:
        self._app = app
        self._middleware = middleware
        self._names = names

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if is_recorded_by(environ, self._names):
            return self._app(environ, start_response)
        return self._middleware.serve(self._app, environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_app"), name)
