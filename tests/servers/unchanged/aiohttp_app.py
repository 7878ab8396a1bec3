"""An app of aiohttp with a sub-app."""

import os

from aiohttp import web


async def work(request: web.Request) -> web.Response:
    """Answer with the worker's pid."""
    return web.Response(text=str(os.getpid()))


jobs = web.Application()
jobs.router.add_get(r"/{number:\d+}", work)
app = web.Application()
app.add_subapp("/work", jobs)
