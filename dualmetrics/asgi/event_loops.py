"""What the page needs of an event loop: asyncio's, or trio's. It is asyncio's under uvloop, too."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol


class EventLoop(Protocol):
    """The loop that runs the caller. Its ``key`` is the same object for as long as the loop runs."""

    key: object

    async def wait(self, future: Future[Any]) -> None:
        """Wait until another thread has completed the future, without a thread."""

    def in_background(self, function: Callable[[], Awaitable[None]]) -> AbstractAsyncContextManager[None]:
        """Run a function beside the block, whose end cancels it."""

    async def pause(self) -> None:
        """Let everything else run that is ready."""

    def lock(self) -> Any:
        """A lock that is given to those who wait for it in the order in which they came."""


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

    async def wait(self, future: Future[Any]) -> None:
        woken = asyncio.Event()

        def wake(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed in the meantime
                self._loop.call_soon_threadsafe(woken.set)

        future.add_done_callback(wake)
        await woken.wait()

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
        self.key: object = trio.lowlevel.current_trio_token()
        self._token = trio.lowlevel.current_trio_token()
        self.lock = trio.Lock

    async def wait(self, future: Future[Any]) -> None:
        woken = self._trio.Event()

        def wake(_: object) -> None:
            with contextlib.suppress(self._trio.RunFinishedError):
                self._token.run_sync_soon(woken.set)

        future.add_done_callback(wake)
        await woken.wait()

    @asynccontextmanager
    async def in_background(self, function: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
        async with self._trio.open_nursery() as nursery:
            nursery.start_soon(function)
            yield
            nursery.cancel_scope.cancel()

    async def pause(self) -> None:
        await self._trio.lowlevel.checkpoint()
