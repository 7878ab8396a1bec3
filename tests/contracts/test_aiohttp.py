"""The contract on the server of aiohttp: dynamic resources, and a sub-app with a prefix."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web

from dualmetrics import Telemetry
from dualmetrics.testing import Actions, HandlerError, HttpContract, Site
from dualmetrics_aiohttp import DualMetrics
from tests.own_server import OwnServerSite, running_loop

pytestmark = pytest.mark.frameworks

AIOHTTP = tuple(map(int, aiohttp.__version__.split(".")[:2]))


class TestAiohttp(HttpContract):
    connect_status = 404  # the target of a CONNECT is no path for aiohttp
    younger_methods = frozenset({"QUERY"} if AIOHTTP < (3, 14) else ())
    unknown_methods = ("PROPFIND", "REPORT")  # its parser refuses what no specification names

    @pytest.fixture
    def site(self, telemetry: Telemetry, actions: Actions) -> Iterator[Site]:
        app = self.make_app(telemetry, actions)
        with running_loop() as loop:
            runner = web.AppRunner(app)
            loop.run_until_complete(runner.setup())
            server = web.TCPSite(runner, "127.0.0.1", 0)
            loop.run_until_complete(server.start())
            yield OwnServerSite(app, loop, runner.addresses[0][1], actions)
            loop.run_until_complete(runner.cleanup())

    def make_app(self, telemetry: Telemetry, actions: Actions) -> web.Application:
        tasks = []

        async def find(request: web.Request) -> web.Response:
            actions.note_active()
            return web.Response(status=404 if request.match_info["id"] == "missing" else 200)

        async def status(request: web.Request) -> web.Response:
            return web.Response(status=int(request.match_info["code"]))

        async def boom(request: web.Request) -> web.Response:
            raise HandlerError

        async def stream(request: web.Request) -> web.StreamResponse:
            return await send(request, actions.async_parts())

        async def broken(request: web.Request) -> web.StreamResponse:
            return await send(request, actions.async_broken_parts())

        async def later(request: web.Request) -> web.Response:
            tasks.append(asyncio.create_task(actions.work_after_response()))
            return web.Response(text="done")

        async def fine(request: web.Request) -> web.Response:
            return web.Response(text="fine")

        items = web.Application()
        items.router.add_get("/items/{id}", find)
        app = web.Application()
        app.add_routes([web.get(r"/users/{id:[^/]+}", find), web.get("/status/{code}", status)])
        app.add_routes([web.get("/boom", boom), web.get("/stream", stream), web.get("/broken", broken)])
        app.add_routes([web.get("/later", later), web.get("/folder/", fine), web.get("/health", fine)])
        app.add_subapp("/api/v1", items)
        DualMetrics(app, telemetry=telemetry)
        return app


async def send(request: web.Request, parts: AsyncIterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for part in parts:
        await response.write(part)
    return response
