"""The middleware stacks of apps and routers.

Our middleware stands outermost in the stack of an app, so that it sees each response that leaves the app. A
`RouterWatch` stands innermost in the stack of each router: middleware in between may hand on a copy of the
scope.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Router

from dualmetrics.asgi import ASGIApp, Receive, Scope, Send, note_scopes, set_error


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


def build_stack(app: Starlette) -> None:
    """Build the middleware stack of an app now, unless it is built, and note its errors."""
    if app.middleware_stack is None:
        stand_outermost(app, lambda stack: stack, note_errors=True)
        app.middleware_stack = app.build_middleware_stack()


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


class RouterWatch:
    """Notes the scopes of a router. Routes of ``namer`` begin at it. An attribute of the router keeps it."""

    def __init__(self, router: Router, namer: object) -> None:
        self.namer = namer
        noting = note_scopes(router.middleware_stack, lambda: self.namer)
        router.middleware_stack = noting  # type: ignore[assignment]  # it returns the coroutine of the router
        setattr(router, _WATCH, self)


_WATCH = "dualmetrics_watch"


def watch_router(router: Router, namer: object = None) -> None:
    """Watch a router, whatever is between it and the middleware. It is watched once."""
    watch = getattr(router, _WATCH, None)
    if watch is None:
        RouterWatch(router, namer)
    else:
        watch.namer = namer or watch.namer


def watched_namer(router: Router) -> object:
    """The namer whose routes begin at a router; None if there is none."""
    return getattr(getattr(router, _WATCH, None), "namer", None)
