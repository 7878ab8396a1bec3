"""Metrics for ASGI apps, and all that an integration of an ASGI framework needs.

An app is wrapped in `MetricsMiddleware`, which records its requests and answers the metrics path. What a
middleware cannot know, an app or an integration tells it: the template of the matched route (`set_route`, or
the argument ``route``, a `RouteNamer`) and an exception that the framework has turned into a response
(`set_error`). The metrics page itself is an app (`metrics_app`), or an answer to be put into a response of
the framework's own (`answer_scrape`, with `paced_chunks` for its body). ``docs/writing-an-integration.md``
shows all of them at work.
"""

from dualmetrics.asgi.marker import is_recorded_by, note_scopes, set_error, set_route
from dualmetrics.asgi.middleware import MetricsMiddleware
from dualmetrics.asgi.pacing import paced_chunks
from dualmetrics.asgi.page import answer_scrape, metrics_app
from dualmetrics.asgi.route_names import wrapped_apps
from dualmetrics.asgi.types import ASGIApp, CachingRouteNamer, Message, Receive, RouteNamer, Scope, Send
from dualmetrics.http.marker import REST

__all__ = [
    "REST",
    "ASGIApp",
    "CachingRouteNamer",
    "Message",
    "MetricsMiddleware",
    "Receive",
    "RouteNamer",
    "Scope",
    "Send",
    "answer_scrape",
    "is_recorded_by",
    "metrics_app",
    "note_scopes",
    "paced_chunks",
    "set_error",
    "set_route",
    "wrapped_apps",
]
