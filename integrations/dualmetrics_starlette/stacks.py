"""The middleware stacks of apps and routers.

Our middleware stands outermost in the stack of an app, so that it sees each response that leaves the app. A
`RouterWatch` stands innermost in the stack of each router: middleware in between may hand on a copy of the
scope.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Router

from dualmetrics.asgi import ASGIApp, Receive, Scope, Send, is_scope_changed, note_scope, set_error

App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


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


class RouterWatch:
    """The innermost middleware of a router. Routes of ``namer`` begin at this router."""

    def __init__(self, app: App, namer: object) -> None:
        self._app = app
        self.namer = namer

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Note the scope and its path if they are not those of the request, and call the router."""
        if is_scope_changed(scope):
            note_scope(scope, self.namer)
        return self._app(scope, receive, send)


def watch_router(router: Router, namer: object = None) -> None:
    """Watch a router, whatever is between it and the middleware. It is watched once."""
    stack = getattr(router, "middleware_stack", None)
    if isinstance(stack, RouterWatch):
        stack.namer = namer or stack.namer
    elif stack is not None:
        router.middleware_stack = RouterWatch(stack, namer)


def watched_namer(router: Router) -> object:
    """The namer whose routes begin at a router; None if there is none."""
    stack = getattr(router, "middleware_stack", None)
    return stack.namer if isinstance(stack, RouterWatch) else None
