"""Which path of a connexion app took a request, and which exception became its response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any

from connexion.middleware import ConnexionMiddleware, MiddlewarePosition
from connexion.middleware.routing import RoutingMiddleware
from starlette.routing import Mount, Route, Router

from dualmetrics.asgi import ASGIApp, Receive, RouteNamer, Scope, Send, note_scopes, set_error, set_route

CURRENT_SCOPE: ContextVar[Scope] = ContextVar("dualmetrics_connexion.scope")
"""The scope of the request that Flask is handling."""

_PATHS = "_dualmetrics_paths"


def routes(app: object) -> RouteNamer | None:
    """Have connexion name the routes of ``app``. None if it is not an app of connexion.

    This is the entry point ``connexion`` of the group ``dualmetrics_routes``.
    """
    inside = getattr(app, "middleware", app)
    return ApiPaths.of(inside) if isinstance(inside, ConnexionMiddleware) else None


def has_path(app: ConnexionMiddleware, path: str) -> bool:
    """Whether an API of the app has this path."""
    return any(
        (api.base_path or api.specification.base_path or "").rstrip("/") + each == path
        for api in app.apis
        for each in api.specification["paths"]
    )


class ApiPaths:
    """The `RouteNamer` of one app: the paths of its specifications, with their base paths."""

    def __init__(self, app: ConnexionMiddleware) -> None:
        self._app = app
        self._routes: dict[int, tuple[str, Route]] = {}
        if app.middleware_stack is None:
            app.add_middleware(ConnexionErrors, position=MiddlewarePosition.BEFORE_SWAGGER, paths=self)
        else:
            self.learn()

    @classmethod
    def of(cls, app: ConnexionMiddleware) -> ApiPaths:
        """The paths of an app. There is one object for each app."""
        if _PATHS not in vars(app):
            setattr(app, _PATHS, cls(app))
        paths: ApiPaths = vars(app)[_PATHS]
        return paths

    def __call__(self, scope: Scope, path: str) -> str | None:
        """The path that matched. None for a 404 or 405 by connexion."""
        template, route = self._routes.get(id(scope.get("endpoint")), (None, None))
        is_served = route is not None and scope["method"] in (route.methods or {scope["method"]})
        return template if is_served else None

    def learn(self) -> None:
        """Learn the routes of the app, which are complete when its first request arrives."""
        if self._routes:
            return
        for layer in self._app.middleware_stack or ():
            if isinstance(layer, RoutingMiddleware):
                self._add(layer.router.routes)
                layer.router = note_scopes(layer.router, lambda: self)
        self._learn_others([*(self._app.middleware_stack or (None,))][-1])

    def _learn_others(self, inside: Any) -> None:
        """Learn the routes that the app has besides those of its specifications."""
        framework = getattr(inside, "app", None)
        if isinstance(framework, Router):  # that of an AsyncApp
            self._add(framework.routes)
            inside.app = note_scopes(framework, lambda: self)
        elif hasattr(framework, "url_map"):  # the Flask of a FlaskApp
            from flask import request_started

            inside.asgi_app = note_current_scope(inside.asgi_app)
            request_started.connect(note_flask_rule, framework)

    def _add(self, some: Iterable[Any], prefix: str = "") -> None:
        for template, route in walk_paths(some, prefix):
            self._routes[id(route.endpoint)] = (template, route)


def walk_paths(some: Iterable[Any], prefix: str) -> Iterator[tuple[str, Route]]:
    """Iterate over all routes, with the base paths of the APIs that have them."""
    for route in some:
        if isinstance(route, Route):
            yield prefix + route.path_format, route
        elif isinstance(route, Mount):
            router: Any = route.app
            while router is not None:  # an API with the same base path is the default of the one before
                yield from walk_paths(getattr(router, "routes", ()), prefix + route.path)
                router = getattr(router, "default", None)


def note_current_scope(app: ASGIApp) -> ASGIApp:
    """Return an app that keeps its scope for what runs inside, in other threads, too."""

    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        CURRENT_SCOPE.set(scope)
        await app(scope, receive, send)

    return noting


def note_flask_rule(app: Any, **_: object) -> None:
    """Tell the middleware the rule of a view that no specification has."""
    from flask import request

    scope = CURRENT_SCOPE.get({})
    operation = scope.get("extensions", {}).get("connexion_routing", {}).get("operation_id")
    if scope and operation is None and request.url_rule is not None:
        set_route(scope, request.url_rule.rule)


class ConnexionErrors:
    """Notes the exceptions that connexion turns into responses, and has the routes learned."""

    def __init__(self, app: ASGIApp, paths: ApiPaths) -> None:
        self.app = app
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        self._paths.learn()
        try:
            await self.app(scope, receive, send)
        except Exception as error:
            cause: BaseException = error
            while isinstance(cause, RuntimeError) and cause.__cause__ is not None:
                cause = cause.__cause__  # Starlette raises its own after the start of a response
            set_error(scope, cause)
            raise
