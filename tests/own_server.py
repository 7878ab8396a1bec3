"""A client for the contract's site on a framework's own server, which runs in this process."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from dualmetrics.testing import Actions, Recorded, Response

PATIENCE = 5.0
"""Seconds that a request may take, with what the handler still does after its response."""


class OwnServerSite:
    """A site on a port of this machine. The server runs while a request is sent."""

    def __init__(self, app: Any, loop: asyncio.AbstractEventLoop, port: int, actions: Actions) -> None:
        self.app = app
        self._loop = loop
        self._port = port
        self._actions = actions

    def request(self, method: str, path: str) -> Response:
        """Send one request on a connection of its own."""
        return self._loop.run_until_complete(asyncio.wait_for(self._request(method, path), PATIENCE))

    async def _request(self, method: str, path: str) -> Response:
        self._actions.response_sent = asyncio.Event()
        before = asyncio.all_tasks()
        response = await asyncio.to_thread(fetch, self._port, method, path)
        self._actions.response_sent.set()
        while left := asyncio.all_tasks() - before:  # the server has not ended the request yet
            await asyncio.wait(left)
        return response


def fetch(port: int, method: str, path: str) -> Response:
    """Send one request. A body that ends too early is returned as far as it came."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers={"Connection": "close"})
        response = connection.getresponse()
        try:
            return Response(response.status, response.read())
        except http.client.IncompleteRead as error:
            return Response(response.status, error.partial)
    finally:
        connection.close()


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give an event loop, and close it at the end."""
    loop = asyncio.new_event_loop()
    try:
        yield loop
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in the loop."""
    return loop.run_until_complete(work)


__all__ = ["OwnServerSite", "Recorded", "fetch", "run", "running_loop"]
