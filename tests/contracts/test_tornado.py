"""The contract on Tornado: regular expressions, and a router inside a rule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.routing import PathMatches, Rule
from tornado.testing import bind_unused_port

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, HandlerError, HttpContract, Site
from dualmetrics_tornado import DualMetrics
from tests.own_server import OwnServerSite, running_loop

pytestmark = pytest.mark.frameworks


def handler(function: Any) -> type[web.RequestHandler]:
    """A handler whose GET is a coroutine function."""

    class Handler(web.RequestHandler):
        async def get(self, *args: str, **kwargs: str) -> None:
            await function(self, *args, **kwargs)

    return Handler


class TestTornado(HttpContract):
    user_route = "/users/<id>"
    item_route = "/api/v1/items/<var>"
    status_route = "/status/<code>"

    @pytest.fixture
    def site(self, telemetry: Telemetry, actions: Actions) -> Iterator[Site]:
        app = self.make_app(telemetry, actions)
        with running_loop() as loop:

            async def start() -> tuple[HTTPServer, int]:
                server, (socket, port) = HTTPServer(app), bind_unused_port()
                server.add_sockets([socket])
                return server, port

            server, port = loop.run_until_complete(start())
            yield OwnServerSite(app, loop, port, actions)

            async def stop() -> None:
                server.stop()
                await server.close_all_connections()

            loop.run_until_complete(stop())

    def make_app(self, telemetry: Telemetry, actions: Actions) -> web.Application:
        tasks = []

        async def find(self: web.RequestHandler, id: str) -> None:  # noqa: A002 - as in the pattern
            actions.note_active()
            self.set_status(404 if id == "missing" else 200)

        async def status(self: web.RequestHandler, code: str) -> None:
            self.set_status(int(code), "Some")

        async def boom(self: web.RequestHandler) -> None:
            raise HandlerError

        async def stream(self: web.RequestHandler) -> None:
            await send(self, actions.async_parts())

        async def broken(self: web.RequestHandler) -> None:
            await send(self, actions.async_broken_parts())

        async def later(self: web.RequestHandler) -> None:
            tasks.append(asyncio.create_task(actions.work_after_response()))
            self.write("done")

        async def fine(self: web.RequestHandler) -> None:
            self.write("fine")

        items = web.Application([(r"/api/v1/items/([^/]+)", handler(find))])
        app = web.Application(
            [
                (r"/users/(?P<id>[^/]+)", handler(find)),
                Rule(PathMatches(r"/api/.*"), items),
                (r"^/status/(?P<code>\d+)$", handler(status)),
                *((path, handler(function)) for path, function in {"/boom": boom, "/stream": stream}.items()),
                ("/broken", handler(broken)),
                ("/later", handler(later)),
                *((path, handler(fine)) for path in ("/folder/", "/health")),
            ]
        )
        DualMetrics(app, telemetry=telemetry)
        return app


async def send(self: web.RequestHandler, parts: AsyncIterator[bytes]) -> None:
    async for part in parts:
        self.write(part)
        await self.flush()
