"""Refuses what is no app of Flask, and says what to use instead."""

from __future__ import annotations

import inspect

from flask import Flask

_OTHERS = (
    "for Starlette and FastAPI, use dualmetrics_starlette; for connexion, use dualmetrics_connexion; for "
    "another ASGI app, use dualmetrics.asgi.MetricsMiddleware; for another WSGI app, use "
    "dualmetrics.wsgi.MetricsMiddleware"
)


def check_kind(app: object) -> Flask:
    """Return the app, which may be given as ``current_app``. Raises TypeError for any other kind of app."""
    if not isinstance(app, Flask):
        raise TypeError(f"DualMetrics needs an app of Flask, not {_name(app)}: {_advice(app)}")
    is_proxy = not issubclass(type(app), Flask)
    return app.app_context().app if is_proxy else app


def _name(app: object) -> str:
    return "the class Flask" if app is Flask else type(app).__qualname__


def _advice(app: object) -> str:
    for inside in (app, getattr(app, "app", None), getattr(app, "wsgi_app", None)):
        flask = getattr(inside, "__self__", inside)
        if isinstance(flask, Flask) and not _is_asgi(app):
            return f"pass the {type(flask).__name__} app inside it, before it is wrapped"
    return _OTHERS


def _is_asgi(app: object) -> bool:
    """Whether calling the app gives a coroutine."""
    return any(inspect.iscoroutinefunction(vars(kind).get("__call__")) for kind in type(app).__mro__)
