"""Metrics for the server of aiohttp: ``DualMetrics(app)``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from dualmetrics.asgi import paced_chunks
from dualmetrics.middleware import route_taken_error, serves_page, telemetry_for
from dualmetrics.own_server import answer_scrape, exclude, run_in_thread, tell_route

try:
    from aiohttp import web
except ImportError as error:
    raise ImportError('dualmetrics_aiohttp needs aiohttp: pip install "dualmetrics[aiohttp]"') from error

from dualmetrics_aiohttp.requests import AppRequests, request_notes

if TYPE_CHECKING:
    from dualmetrics import Telemetry

__all__ = ["DualMetrics", "set_route"]


class DualMetrics:
    """Records the requests of an aiohttp app and of its sub-apps, and adds the metrics page as a route.

    It stands outside of all middleware that the app has. ``telemetry`` is the `Telemetry` to record with.
    Without it, ``settings`` are passed to `dualmetrics.configure`. ``serve_metrics=False`` adds no route.
    Call it before the app starts. Raises SettingsError for a bad setting and for a metrics path that a route
    of the app has.
    """

    def __init__(
        self,
        app: web.Application,
        *,
        telemetry: Telemetry | None = None,
        serve_metrics: bool = True,
        **settings: Any,
    ) -> None:
        self.telemetry = telemetry_for(telemetry, settings)
        if serve_metrics and serves_page(self.telemetry):
            self._mount_page(app)
        requests = AppRequests(self.telemetry)
        app.middlewares.insert(0, requests.middleware())
        app.on_response_prepare.insert(0, requests.note_response)
        app.cleanup_ctx.append(self._export)

    def _mount_page(self, app: web.Application) -> None:
        path = self.telemetry.settings.prometheus_path
        for route in app.router.routes():
            if route.resource is not None and route.resource.canonical == path:
                raise route_taken_error(self.telemetry, path)
        app.router.add_get(path, self._page)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        exclude(request_notes(request))
        return await page_response(self.telemetry, request)

    async def _export(self, app: web.Application) -> AsyncIterator[None]:
        """Export from the start of the app to its end, when all connections are closed."""
        await run_in_thread(self.telemetry.start)
        yield
        await run_in_thread(self.telemetry.shutdown)


async def page_response(telemetry: Telemetry, request: web.Request) -> web.Response:
    """Answer a scrape."""
    answer = await answer_scrape(
        telemetry, request.method, request.headers, request.query_string, request.remote
    )
    body = paced_chunks(answer.chunks)
    return web.Response(body=body, status=answer.status, headers=dict(answer.headers))


def set_route(request: web.BaseRequest, template: str) -> None:
    """Set the route of a request, such as ``/users/{id}``. It takes precedence over that of aiohttp.

    Pass the template and never the path: a client can request any path, and each one would be a new series.
    """
    tell_route(request_notes(request), template)
