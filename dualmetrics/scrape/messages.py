"""A request for the page and its answer, whatever the protocol and the framework."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class ScrapeRequest(NamedTuple):
    """A request for the page. Header names are in lower case; ``client`` is the address of the peer."""

    method: str
    headers: Mapping[str, str]
    query: str
    client: str | None


class ScrapeResponse(NamedTuple):
    """The answer. Send the ``chunks`` one after the other, once; the answer to a HEAD has none."""

    status: int
    headers: list[tuple[str, str]]
    chunks: Iterable[bytes]


def text_response(status: int, text: str, *headers: tuple[str, str]) -> ScrapeResponse:
    """An answer of one line of plain text."""
    body = " ".join(text.split()).encode("utf-8", "replace")
    common = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    return ScrapeResponse(status, [*common, *headers], [body] if body else [])
