"""A request for the page between its arrival and its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TypeAlias
from urllib.parse import parse_qsl

from dualmetrics.scrape.compression import accepts_gzip
from dualmetrics.scrape.encoded_page import EncodedPage
from dualmetrics.scrape.messages import ScrapeRequest
from dualmetrics.scrape.single_flight import Caller, Start

MAX_NAMES = 100
MAX_QUERY_LENGTH = 8192

EncodedPages: TypeAlias = Mapping[bool, EncodedPage]
"""The pages of one rendering: compressed (True), as it is (False), or both."""


class PendingScrape:
    """A request that is not answered yet, and what it asks for.

    It can be answered when ``wake`` has been called. For it and ``start`` see `Caller`. ``names`` are the
    metrics that ``name[]`` parameters ask for; None if there are too many.
    """

    def __init__(self, request: ScrapeRequest, start: Start, wake: Callable[[], object]) -> None:
        self.arrived = time.perf_counter()
        self.request = request
        self.names = _names(request.query)
        self.compressed = accepts_gzip(request.headers.get("accept-encoding", ""))
        self.caller: Caller[EncodedPages] = Caller(start, wake, self.compressed)


def _names(query: str) -> frozenset[str] | None:
    if len(query) > MAX_QUERY_LENGTH:
        return None
    names = frozenset(value for name, value in parse_qsl(query) if name == "name[]")
    return names if len(names) <= MAX_NAMES else None
