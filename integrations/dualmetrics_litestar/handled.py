"""What Litestar knows of a request that it has handled: the matched route, and an unhandled exception."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.exceptions import HTTPException, LitestarException
from litestar.types import Scope as LitestarScope

from dualmetrics.asgi import REST, ASGIApp, Receive, RouteNamer, Scope, Send, set_error

INTERNAL_SERVER_ERROR = 500


def routes(app: object) -> RouteNamer | None:
    """Have Litestar name the routes of ``app``. None if it is not an app of Litestar.

    This is the entry point ``litestar`` of the group ``dualmetrics_routes``.
    """
    if not isinstance(app, Litestar):
        return None
    note_unhandled_exceptions(app)
    return path_template


def path_template(scope: Scope, path: str) -> str | None:
    """The template of the route that took a request: the `RouteNamer`. None after its own 404 and 405."""
    template: str | None = scope.get("path_template")
    if getattr(scope.get("route_handler"), "is_mount", False):
        # The path in the scope is the one inside the mount, whose own path has no parameters.
        return path.rstrip("/").removesuffix(scope["path"].rstrip("/")) + REST
    return template


def note_unhandled_exceptions(app: Litestar) -> None:
    """Tell the exceptions that Litestar answers with a 500."""
    if tell_unhandled not in app.after_exception:
        app.after_exception.append(tell_unhandled)


async def tell_unhandled(exception: Exception, scope: LitestarScope) -> None:
    """Tell the middleware about an exception, unless the app answers it on purpose."""
    if not isinstance(exception, HTTPException) and not has_handler(scope, exception):
        told: Any = scope
        set_error(told, exception)


def has_handler(scope: LitestarScope, exception: Exception) -> bool:
    """Whether the app has an exception handler of its own for the exception."""
    route_handler = scope.get("route_handler") or scope["app"]
    resolve = getattr(route_handler, "resolve_exception_handlers", None)
    handlers = resolve() if resolve is not None else scope["app"].exception_handlers
    return INTERNAL_SERVER_ERROR in handlers or any(kind in handlers for kind in type(exception).__mro__)


class CauseNoter:
    """Tells the exception that ends a streamed body. Litestar raises one of its own in its place."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        try:
            await self.app(scope, receive, send)
        except LitestarException as error:
            set_error(scope, error.__cause__ or error)
            raise
