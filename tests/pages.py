"""Pages for tests: what they render, and how a request for one is made."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from dualmetrics.exporters.prometheus import Page
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.endpoint import ScrapeEndpoint, ScrapeRequest, ScrapeResponse

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def page(content: bytes = b"a 1\n", **protections: Any) -> ScrapeEndpoint:
    """A page that always shows ``content``."""

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
    """What ``page`` answers."""
    return page.respond(ScrapeRequest(method, headers or {}, query, client))


def header(response: ScrapeResponse, name: str) -> str | None:
    """The value of the one header of this name."""
    found = [value for key, value in response.headers if key.lower() == name.lower()]
    assert len(found) <= 1
    return found[0] if found else None


def body(response: ScrapeResponse) -> bytes:
    return b"".join(response.chunks)
