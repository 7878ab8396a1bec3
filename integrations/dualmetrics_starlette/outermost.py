"""Puts the middleware around an app, outside of all other middleware and of its error handlers."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware

from dualmetrics.asgi import ASGIApp, Receive, Scope, Send, set_error


def stand_outermost(app: Starlette, wrap: Callable[[ASGIApp], ASGIApp], *, note_errors: bool) -> None:
    """Wrap the middleware stack of an app, also if middleware is added later.

    ``add_middleware`` puts each middleware outside of those before it, and the error handlers of the app
    outside of all. So the stack is wrapped when the app builds it, before its first request.
    """
    if app.middleware_stack is not None:
        app.middleware_stack = wrap(app.middleware_stack)
        return
    build = app.build_middleware_stack

    def build_wrapped() -> ASGIApp:
        middleware = app.user_middleware
        if note_errors:
            app.user_middleware = [Middleware(ErrorNoter), *middleware]
        try:
            return wrap(build())
        finally:
            app.user_middleware = middleware

    app.build_middleware_stack = build_wrapped  # type: ignore[method-assign]  # for this app alone


class ErrorNoter:
    """Notes the exception that the app's outermost error handler turns into a response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            set_error(scope, error)
            raise
