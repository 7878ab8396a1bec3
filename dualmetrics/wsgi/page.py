"""The metrics page as a WSGI app."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from dualmetrics.http.marker import markers
from dualmetrics.middleware import PAGE_DISABLED, serves_page
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse
from dualmetrics.wsgi.environ import Environ

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

    from dualmetrics.telemetry import Telemetry


def metrics_app(telemetry: Telemetry) -> WSGIApplication:
    """Return the page as a WSGI app, to mount anywhere.

    It answers 404 if ``prometheus`` is not among the exporters.
    """

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        response = answer_scrape(telemetry, environ)
        status = f"{response.status} {HTTPStatus(response.status).phrase}"
        start_response(status, response.headers)
        return response.chunks

    return app


def answer_scrape(telemetry: Telemetry, environ: Environ) -> ScrapeResponse:
    """Answer a scrape from its environ: status, headers and chunks of the body.

    For a route of a framework, whose handler must return a response of the framework's own. The answer is a
    404 if ``prometheus`` is not among the exporters. It blocks while the page is rendered. Never raises.
    The scrape is not recorded, wherever the page is mounted.
    """
    for marker in markers(environ):
        marker.exclude()
    return telemetry.page.respond(_scrape_request(environ)) if serves_page(telemetry) else PAGE_DISABLED


def _scrape_request(environ: Environ) -> ScrapeRequest:
    headers = {
        key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
    }
    query, client = environ.get("QUERY_STRING", ""), environ.get("REMOTE_ADDR")
    return ScrapeRequest(environ["REQUEST_METHOD"], headers, query, client or None)
