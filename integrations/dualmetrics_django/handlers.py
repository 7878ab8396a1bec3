"""What Django's handlers know of a request: which route matched, and which exception became a 500.

A handler is what ``get_wsgi_application`` and ``get_asgi_application`` return.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from typing import Any, TypeVar

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from dualmetrics.asgi import set_error
from dualmetrics.middleware import note_seen
from dualmetrics_django.template import template_of

METHOD_NOT_ALLOWED = 405
MATCH_KEY = "dualmetrics_django.match"
"""The key of the resolver match in an environ or scope."""

Handler = TypeVar("Handler", bound=BaseHandler)


def handlers_of(app: object, kind: type[Handler]) -> Iterator[Handler]:
    """Iterate over the handlers among ``app`` and what it wraps. Raises TypeError if there is none."""
    layer, found = app, False
    while layer is not None:
        if isinstance(layer, kind):
            found = True
            yield layer
        layer = getattr(layer, "application", None) or getattr(layer, "app", None)
    if not found:
        raise TypeError(
            f"DualMetrics needs the application of Django that is a {kind.__name__}, not "
            f"{type(app).__qualname__}. Put it around the application before anything else wraps it"
        )


def watch(handler: BaseHandler) -> None:
    """Have a handler keep the resolver match of each request, and tell the exceptions that it answers."""
    if "get_response" in vars(handler):  # it is watched
        return
    got_request_exception.connect(tell_exception)  # Django connects a function once
    get_response, get_response_async = handler.get_response, handler.get_response_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = None
        try:
            response = get_response(request)
        finally:
            note_match(request, response)
        return response

    async def respond_async(request: HttpRequest) -> HttpResponseBase:
        response = None
        try:
            response = await get_response_async(request)
        finally:
            note_match(request, response)
        return response

    # For this handler alone.
    handler.get_response, handler.get_response_async = respond, respond_async  # type: ignore[method-assign]


def watch_from_start(handler: BaseHandler) -> None:
    """Let a handler keep each request while it is in progress, so that its route is known by then."""
    get_response, get_response_async = handler.get_response, handler.get_response_async

    def respond(request: HttpRequest) -> HttpResponseBase:
        carrier_of(request)[MATCH_KEY] = request
        return get_response(request)

    async def respond_async(request: HttpRequest) -> HttpResponseBase:
        carrier_of(request)[MATCH_KEY] = request
        return await get_response_async(request)

    handler.get_response, handler.get_response_async = respond, respond_async  # type: ignore[method-assign]


def note_match(request: HttpRequest, response: HttpResponseBase | None) -> None:
    """Keep the resolver match. In Django, views reject methods, and then the request has no route."""
    refused = response is not None and response.status_code == METHOD_NOT_ALLOWED
    carrier_of(request)[MATCH_KEY] = None if refused else request.resolver_match


def tell_exception(request: HttpRequest | None = None, **_: object) -> None:
    """Tell the middleware about an exception that Django answers with a 500. Django is handling it now."""
    error = sys.exc_info()[1]
    if error is not None and request is not None:
        set_error(carrier_of(request), error)


def carrier_of(request: HttpRequest) -> MutableMapping[str, Any]:
    """The environ or scope of a request. It may be a copy of the one that the middleware has seen."""
    carrier: MutableMapping[str, Any] = (
        request.environ if isinstance(request, WSGIRequest) else getattr(request, "scope", {})
    )
    note_seen(carrier)
    return carrier


def route_of(carrier: MutableMapping[str, Any], path: str = "") -> str | None:
    """The template of the route that took a request: the `RouteNamer` of both protocols."""
    match = carrier.get(MATCH_KEY)
    if isinstance(match, HttpRequest):
        match = match.resolver_match
    return template_of(match.route) if match is not None else None
