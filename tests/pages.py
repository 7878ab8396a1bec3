"""Scrape endpoints with a fixed page, and requests to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.content_negotiation import Choice
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse

TEXT = "text/plain; version=0.0.4; charset=utf-8"

Render = Callable[[Choice, Collection[str]], Page]


def endpoint(render: Render, errors: ErrorReporter | None = None, **options: Any) -> ScrapeEndpoint:
    """An endpoint that shows what ``render`` makes, and that anyone may read."""
    return ScrapeEndpoint(render, AccessControl(), errors or ErrorReporter(), **options)


def page(content: bytes = b"a 1\n", **protections: Any) -> ScrapeEndpoint:
    """An endpoint that always shows ``content``, with the arguments of `AccessControl`."""
    return ScrapeEndpoint(
        lambda choice, names: Page(TEXT, [content]), AccessControl(**protections), ErrorReporter()
    )


def get(
    page: ScrapeEndpoint,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    query: str = "",
    client: str | None = "192.0.2.1",
) -> ScrapeResponse:
    """The answer of ``page`` to a request."""
    return page.respond(ScrapeRequest(method, headers or {}, query, client))


def header(response: ScrapeResponse, name: str) -> str | None:
    """The value of the one header of this name; None if there is none."""
    values = [value for key, value in response.headers if key.lower() == name.lower()]
    assert len(values) <= 1
    return values[0] if values else None


def body(response: ScrapeResponse) -> bytes:
    return b"".join(response.chunks)
