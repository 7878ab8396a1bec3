"""What is known of a request of aiohttp: its route, and the details that the settings ask for."""

from __future__ import annotations

from functools import partial
from typing import Any

from aiohttp import web

from dualmetrics.asgi import REST
from dualmetrics.own_server import DetailedServedRequest, ServedRequest


def canonical_path(request: web.BaseRequest) -> str | None:
    """The canonical path of the resource, with the prefixes of sub-apps. None for a 404 or 405 of aiohttp."""
    resource = request.match_info.route.resource if isinstance(request, web.Request) else None
    if resource is None:
        return None
    return resource.canonical + REST if isinstance(resource, web.StaticResource) else resource.canonical


def note_details(served: ServedRequest | None, request: web.Request) -> None:
    """Have the bytes of both bodies counted, if the request is recorded in detail.

    A streamed body is counted as the app writes it, before aiohttp compresses it.
    """
    if not isinstance(served, DetailedServedRequest):
        return
    detailed = served
    detailed.note_request(request, canonical_path)

    def measure() -> None:
        detailed.add_received(getattr(request.content, "total_bytes", 0))
        response = detailed.response
        if isinstance(response, (web.Response, web.FileResponse)):
            detailed.add_sent(response.content_length)

    detailed.measure, detailed.on_response = measure, partial(note_prepared, detailed)


def note_prepared(served: DetailedServedRequest, response: Any) -> None:
    """Count what a handler writes from now on: its response begins."""
    served.note_start()
    if isinstance(response, (web.Response, web.FileResponse)):
        return
    write, write_eof = response.write, response.write_eof

    async def counted_write(data: bytes) -> None:
        served.add_sent(len(data))
        await write(data)

    async def counted_write_eof(data: bytes = b"") -> None:
        served.add_sent(len(data))
        await write_eof(data)

    response.write, response.write_eof = counted_write, counted_write_eof
