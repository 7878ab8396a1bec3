"""Bounds the memory of pages that are read slowly, while newer ones are rendered."""

from __future__ import annotations

import weakref
from collections import deque

from dualmetrics.scrape.encoded_page import EncodedPage

_KEPT = 4
"""How many pages stay as they are. Most are read before the next one is rendered."""


class LatestPages:
    """Packs each page that somebody still reads when so many newer ones have been rendered."""

    def __init__(self) -> None:
        self._latest: deque[weakref.ref[EncodedPage]] = deque()

    def add(self, page: EncodedPage) -> None:
        """Add a page that was rendered, after those that were rendered before it."""
        self._latest.append(weakref.ref(page))
        if len(self._latest) > _KEPT:
            aged = self._latest.popleft()()
            if aged is not None:
                aged.pack()
