"""One request on its way through the middleware; see `dualmetrics.testing.contracts` for what is recorded."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

import pytest

from dualmetrics.asgi import MetricsMiddleware
from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.asgi_client import http_scope
from dualmetrics.testing.site import HandlerError
from tests.unit.asgi.apps import hello


class ServerRequest:
    """A request as a server keeps it: the scope beside the functions that the app gets."""

    def __init__(self) -> None:
        self.scope = http_scope("GET", "/")

    async def receive(self) -> Message:
        return {"type": "http.request"}

    async def send(self, message: Message) -> None:
        """Send nothing."""


async def raises(scope: Scope, receive: Receive, send: Send) -> None:
    raise HandlerError


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    return None


@pytest.mark.parametrize("app", [hello, raises, returns])
def test_request_is_freed_without_the_garbage_collector(telemetry: Telemetry, app: ASGIApp) -> None:
    async def serve() -> weakref.ref[ServerRequest]:
        request = ServerRequest()
        with contextlib.suppress(HandlerError):
            await MetricsMiddleware(app, telemetry=telemetry)(request.scope, request.receive, request.send)
        return weakref.ref(request)

    gc.disable()
    try:
        assert asyncio.run(serve())() is None
    finally:
        gc.enable()
