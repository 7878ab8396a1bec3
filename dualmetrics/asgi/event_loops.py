"""What the page needs of an event loop: asyncio's, or trio's. It is asyncio's under uvloop, too."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol


class EventLoop(Protocol):
    """The loop that runs the caller. Its ``key`` is the same object for as long as the loop runs."""

    key: object

    def alarm(self) -> Alarm:
        """A new alarm, for which a task of this loop waits."""

    def in_background(self, function: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Run a function beside the block, whose end cancels it."""

    async def pause(self) -> None:
        """Let everything else run that is ready."""

    def lock(self) -> Any:
        """A lock that is given to those who wait for it in the order in which they came."""


class Alarm:
    """Wakes a task, which waits for it without a thread, from any thread."""

    def __init__(self, event: Any, soon: Callable[[Callable[[], None]], object]) -> None:
        """``soon`` has a function called in the loop. It raises RuntimeError if the loop has ended."""
        self._event = event
        self._soon = soon

    def ring(self) -> None:
        """Wake the task, if it is still there."""
        with contextlib.suppress(RuntimeError):
            self._soon(self._event.set)

    async def wait(self) -> None:
        """Wait until the alarm has rung."""
        await self._event.wait()


def running_loop() -> EventLoop:
    """The event loop that runs the caller."""
    try:
        return _AsyncioLoop(asyncio.get_running_loop())
    except RuntimeError:
        return _TrioLoop(trio())


def trio() -> Any:
    """The module. It is running, so it is installed, although we do not require it."""
    return importlib.import_module("trio")


class _AsyncioLoop:
    lock = asyncio.Lock

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.key: object = loop
        self._loop = loop

    def alarm(self) -> Alarm:
        return Alarm(asyncio.Event(), self._loop.call_soon_threadsafe)

    @asynccontextmanager
    async def in_background(self, function: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        task = asyncio.ensure_future(function())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.sleep(0)  # it ends before the response does, after which the loop may be closed

    async def pause(self) -> None:
        await asyncio.sleep(0)


class _TrioLoop:
    def __init__(self, trio: Any) -> None:
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self.key: object = self._token
        self.lock = trio.Lock

    def alarm(self) -> Alarm:
        return Alarm(self._trio.Event(), self._token.run_sync_soon)

    @asynccontextmanager
    async def in_background(self, function: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        async with self._trio.open_nursery() as nursery:
            nursery.start_soon(function)
            yield
            nursery.cancel_scope.cancel()

    async def pause(self) -> None:
        await self._trio.lowlevel.checkpoint()
