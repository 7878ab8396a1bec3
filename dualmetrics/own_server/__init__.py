"""Metrics for frameworks that have a server of their own, and speak neither ASGI nor WSGI.

An integration of such a framework calls `Requests.begin` when a request arrives, and `ServedRequest.end` when
the last byte of its response was sent. In between, the request is found by its carrier, a mapping that the
integration keeps for each request.
"""

from dualmetrics.asgi.threads import run_in_thread
from dualmetrics.http.marker import tell_error, tell_route
from dualmetrics.http.request_attributes import CLIENT_GONE
from dualmetrics.own_server.detailed_request import DetailedServedRequest
from dualmetrics.own_server.page import answer_scrape
from dualmetrics.own_server.requests import Requests, exclude
from dualmetrics.own_server.served_request import SMALL_BODY_BYTES, ServedRequest

__all__ = [
    "CLIENT_GONE",
    "SMALL_BODY_BYTES",
    "DetailedServedRequest",
    "Requests",
    "ServedRequest",
    "answer_scrape",
    "exclude",
    "run_in_thread",
    "tell_error",
    "tell_route",
]
