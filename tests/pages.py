"""A metrics page with fixed content for tests, and requests for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dualmetrics.exporters.prometheus import Page
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.endpoint import ScrapeEndpoint, ScrapeRequest, ScrapeResponse

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def page(content: bytes = b"a 1\n", **protections: Any) -> ScrapeEndpoint:
    """Return an endpoint that always shows ``content``."""

    def render(accept: str | None, names: Collection[str]) -> Page:
        return Page(TEXT, [content])

    return ScrapeEndpoint(render, **{"errors": ErrorReporter(), **protections})


def get(
    page: ScrapeEndpoint,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    query: str = "",
    client: str | None = "192.0.2.1",
) -> ScrapeResponse:
    """Request the page."""
    return page.respond(ScrapeRequest(method, headers or {}, query, client))


def header(response: ScrapeResponse, name: str) -> str | None:
    """Return the value of a header; fail if the response has it more than once."""
    values = [value for key, value in response.headers if key.lower() == name.lower()]
    assert len(values) <= 1
    return values[0] if values else None


def body(response: ScrapeResponse) -> bytes:
    return b"".join(response.chunks)
