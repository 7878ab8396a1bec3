"""Sends pages piece by piece, so that however many are read, the event loop serves the app in between."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any
from weakref import WeakValueDictionary

from dualmetrics.asgi.event_loops import running_loop

_turns: WeakValueDictionary[object, Any] = WeakValueDictionary()
"""The lock of each loop in which pages are sent. It is forgotten with the last of these pages."""


async def paced_chunks(chunks: Iterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Give the chunks of a page one after the other, each when its turn comes.

    To send a chunk takes some time even if the client does not read: servers copy it. So in each of its
    rounds an event loop gives at most one chunk of all the pages that are sent in it.
    """
    loop = running_loop()
    turns = _turns.setdefault(loop.key, loop.lock())
    remaining = iter(chunks)
    while True:
        async with turns:
            await loop.pause()
        chunk = next(remaining, None)
        if chunk is None:
            return
        yield chunk
