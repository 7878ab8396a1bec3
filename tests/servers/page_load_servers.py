"""The large page of `page_load_app`, sent by other frameworks: ``aiohttp PORT`` or ``tornado PORT``."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web as aiohttp_web
from tornado import web as tornado_web

import dualmetrics_aiohttp
import dualmetrics_tornado
from tests.servers.page_load_app import seen, telemetry, watch_loop


async def serve_aiohttp(port: int) -> None:
    """Serve with aiohttp."""

    async def load(request: aiohttp_web.Request) -> aiohttp_web.Response:
        return aiohttp_web.Response(body=seen())

    app = aiohttp_web.Application()
    app.router.add_get("/load", load)
    dualmetrics_aiohttp.DualMetrics(app, telemetry=telemetry)
    runner = aiohttp_web.AppRunner(app)
    await runner.setup()
    await aiohttp_web.TCPSite(runner, "127.0.0.1", port).start()
    await watch_loop()


class Load(tornado_web.RequestHandler):
    """What was seen so far."""

    def get(self) -> None:
        """Answer with it."""
        self.write(seen())


async def serve_tornado(port: int) -> None:
    """Serve with Tornado."""
    app = tornado_web.Application([("/load", Load)])
    dualmetrics_tornado.DualMetrics(app, telemetry=telemetry)
    app.listen(port, "127.0.0.1")
    await watch_loop()


if __name__ == "__main__":
    servers = {"aiohttp": serve_aiohttp, "tornado": serve_tornado}
    asyncio.run(servers[sys.argv[1]](int(sys.argv[2])))
