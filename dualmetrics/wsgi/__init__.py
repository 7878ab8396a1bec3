"""Metrics for WSGI apps, and all that an integration of a WSGI framework needs.

An app is wrapped in `MetricsMiddleware`, which records its requests and answers the metrics path. What a
middleware cannot know, an app or an integration tells it: the template of the matched route (`set_route`, or
the argument ``route``, a `RouteNamer`) and an exception that the framework has turned into a response
(`set_error`). The metrics page itself is an app (`metrics_app`), or an answer to be put into a response of
the framework's own (`answer_scrape`). ``docs/writing-an-integration.md`` shows all of them at work.
"""

from dualmetrics.wsgi.environ import Environ, RouteNamer, set_error, set_route
from dualmetrics.wsgi.marker import is_recorded_by, may_be_nested, note_request
from dualmetrics.wsgi.middleware import MetricsMiddleware
from dualmetrics.wsgi.page import answer_scrape, metrics_app

__all__ = [
    "Environ",
    "MetricsMiddleware",
    "RouteNamer",
    "answer_scrape",
    "is_recorded_by",
    "may_be_nested",
    "metrics_app",
    "note_request",
    "set_error",
    "set_route",
]
