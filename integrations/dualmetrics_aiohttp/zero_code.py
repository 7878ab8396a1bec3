"""Records the apps of aiohttp that do not know dualmetrics."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from dualmetrics.middleware import serves_page
from dualmetrics.own_server import run_in_thread
from dualmetrics.zero_code import Patch, own_class, unchanged_telemetry
from dualmetrics_aiohttp import page_response
from dualmetrics_aiohttp.details import canonical_path
from dualmetrics_aiohttp.requests import AppRequests

if TYPE_CHECKING:
    from dualmetrics import Telemetry


def install() -> Patch:
    """Have every app record from its start on. Servers start the outermost app, which has all requests."""
    kind: Any = own_class(web.Application, "aiohttp")
    original = kind.startup

    @functools.wraps(original)
    async def startup(app: web.Application) -> None:
        UnchangedApp().join(app)
        await original(app)

    return Patch(kind, "startup", startup)


class UnchangedApp:
    """What records one app, from the start of the app on."""

    def __init__(self) -> None:
        self._telemetry: Telemetry | None = None
        self._requests: AppRequests | None = None
        self._record: Any = None

    def join(self, app: web.Application) -> None:
        """Add what records to an app that accepts middleware."""
        app.middlewares.insert(0, self.middleware())
        app.on_response_prepare.insert(0, self.note_response)
        app.cleanup_ctx.append(self.export)

    async def export(self, app: web.Application) -> AsyncIterator[None]:
        """Export from the start of the app to its end."""
        self._telemetry = telemetry = unchanged_telemetry()
        if telemetry is None:
            yield
            return
        self._requests = AppRequests(telemetry)
        self._record = self._requests.middleware()
        await run_in_thread(telemetry.start)
        yield
        await run_in_thread(telemetry.shutdown)

    def middleware(self) -> Middleware:
        """Make the middleware."""

        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self._telemetry is None:
                return await handler(request)
            if self._is_page(request, self._telemetry):
                return await page_response(self._telemetry, request)
            return await self._record(request, handler)  # type: ignore[no-any-return]

        return record

    async def note_response(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Take note of a response before its headers are sent."""
        if self._requests is not None:
            await self._requests.note_response(request, response)

    def _is_page(self, request: web.Request, telemetry: Telemetry) -> bool:
        """Whether the page answers: the app has no route of its own for it."""
        path = telemetry.settings.prometheus_path
        return request.path == path and serves_page(telemetry) and canonical_path(request) != path
