"""Records the requests of an aiohttp app, from its middleware to the end of the task that serves each."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from dualmetrics.own_server import CLIENT_GONE, SMALL_BODY_BYTES, Requests, ServedRequest
from dualmetrics_aiohttp.details import canonical_path, note_details

if TYPE_CHECKING:
    from dualmetrics import Telemetry

KEY: Any = web.RequestKey("dualmetrics", dict) if hasattr(web, "RequestKey") else "dualmetrics"
"""The key of the carrier in a request. Older versions have strings as keys, newer ones warn of them."""


def request_notes(request: web.BaseRequest) -> dict[str, Any]:
    """The mapping that belongs to a request and to its clones."""
    if KEY not in request:
        request[KEY] = {}
    carrier: dict[str, Any] = request[KEY]
    return carrier


class AppRequests:
    """The middleware of an app, and its hook for responses."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._requests = Requests(telemetry)
        self._serve = self._serve_plainly
        self._requests.on_detailed(self._serve_in_detail_from_now)

    def _serve_in_detail_from_now(self) -> None:
        self._serve = self._serve_in_detail

    def middleware(self) -> Middleware:
        """Make the middleware."""

        @web.middleware
        async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._serve(request, handler)

        return record

    async def _serve_in_detail(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        async def noted(request: web.Request) -> web.StreamResponse:
            note_details(self._requests.find(request_notes(request)), request)
            return await handler(request)

        return await self._serve_plainly(request, noted)

    async def _serve_plainly(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        version = f"{request.version.major}.{request.version.minor}"
        carrier = request_notes(request)
        served = self._requests.begin(carrier, request.method, request.path, request.scheme, version)
        task = asyncio.current_task()
        if served is None or task is None:
            return await handler(request)
        # aiohttp serves each request in a task, which ends when the last byte is sent or the client is gone.
        task.add_done_callback(partial(self._end, request))
        try:
            return await handler(request)
        except web.HTTPException:
            raise  # a response
        except Exception as error:
            served.failure = error
            raise

    async def note_response(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Take note of a response before its headers are sent."""
        served = self._requests.find(request_notes(request))
        if served is None or not served.in_progress:
            return
        served.response = response
        if isinstance(response, web.WebSocketResponse):
            websocket = self._requests.begin_websocket(request_notes(request), request.path, request.scheme)
            if websocket is not None:
                websocket.response = response
        elif isinstance(response, web.Response):
            record_before_the_last_byte(served, request, response)

    def _end(self, request: web.BaseRequest, task: asyncio.Task[object]) -> None:
        served = self._requests.find(request_notes(request))
        if served is None or not served.in_progress:
            return
        error = None if task.cancelled() else task.exception()
        if served.response is not None:
            status = served.response.status
            served.failure = served.failure or (None if isinstance(error, ConnectionError) else error)
        else:
            status = CLIENT_GONE if task.cancelled() or isinstance(error, ConnectionError) else 500
        served.end(status, canonical_path(request))


def record_before_the_last_byte(
    served: ServedRequest, request: web.BaseRequest, response: web.Response
) -> None:
    """Record a request with a small body just before it is sent: it then survives a kill of the worker."""
    write_eof = response.write_eof

    async def record_and_write(data: bytes = b"") -> None:
        response.write_eof = write_eof  # type: ignore[method-assign]  # as it was
        if response.body is None or (
            isinstance(response.body, bytes) and len(response.body) <= SMALL_BODY_BYTES
        ):
            served.end(response.status, canonical_path(request))
        await write_eof(data)

    response.write_eof = record_and_write  # type: ignore[method-assign]  # for this response alone
