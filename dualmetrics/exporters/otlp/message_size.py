"""Sends a message that a Collector has refused as too large again, in smaller ones.

OTLP over HTTP answers 413 then, and gRPC RESOURCE_EXHAUSTED. What a Collector accepts is its own setting, or
that of a proxy before it. It is learned here, so the next push has messages of the right size.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from dualmetrics.exporters.otlp.result import ResponseSummary

MESSAGE_BYTES = 1 << 20
"""The target size of a message. A Collector accepts more, but only one message is in memory at a time."""

_MAX_REFUSALS = 64
"""After so many messages of one push that were too large, the next one ends it."""

_ALONE = "one point alone is larger than what the Collector accepts"


_Message = TypeVar("_Message")
_Cut = Callable[[_Message, int], Iterable[_Message]]


class MessageSizes:
    """The size of the messages to one Collector: ``limit`` in bytes."""

    def __init__(self, responses: ResponseSummary) -> None:
        self.limit = MESSAGE_BYTES
        self._responses = responses

    def resend_in_parts(
        self, messages: Iterable[_Message], size_of: Callable[[_Message], int], cut: _Cut[_Message]
    ) -> Iterator[_Message]:
        """Yield messages. One that turns out to be too large comes again, in parts. Each point is in one.

        ``cut`` divides a message into parts of at most so many bytes, but at least one point. A point that is
        too large alone is rejected. If nothing was accepted, the last message remains marked as too large.
        """
        refused, accepted, responses = 0, False, self._responses
        for message in messages:
            waiting = deque([message])
            while waiting:
                current = waiting.popleft()
                yield current
                if not responses.too_large:
                    accepted = True
                    continue
                refused += 1
                if refused > _MAX_REFUSALS:
                    return
                responses.too_large = False
                waiting.extendleft(reversed(self._parts(current, size_of(current), cut)))
        responses.too_large = refused > 0 and not accepted

    def _parts(self, message: _Message, size: int, cut: _Cut[_Message]) -> list[_Message]:
        limit = min(self.limit, size // 2)
        parts = [*cut(message, limit)]
        if len(parts) > 1:
            self.limit = limit
            return parts
        self._responses.reject(1, _ALONE)
        return []
