"""Watches with which scope a router matches routes: middleware may have handed on a copy."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from starlette.routing import Router

from dualmetrics.asgi import Receive, Scope, Send, note_scope

App = Callable[[Scope, Receive, Send], Coroutine[Any, Any, None]]


class RouterWatch:
    """The innermost middleware of a router. Routes of ``namer`` begin at this router."""

    def __init__(self, app: App, namer: object) -> None:
        self._app = app
        self.namer = namer

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Note the scope, and call the router."""
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
