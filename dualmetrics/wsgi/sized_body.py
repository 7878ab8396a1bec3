"""The body of a response that has a length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualmetrics.wsgi.request import WsgiRequest


class SizedBody:
    """A body with a known number of parts. If there is one part, servers derive Content-Length from it."""

    __slots__ = ("_parts", "_request", "close")

    def __init__(self, request: WsgiRequest, parts: Sequence[bytes]) -> None:
        self._request = request
        self._parts = parts
        self.close = request.close

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[bytes]:
        if len(self._parts) > 1:
            return iter(self._request)
        self._request.hand_over(self._parts)
        return iter(self._parts)
