"""Records an ASGI request in detail. The class replaces `AsgiRequest` where details are wanted."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from dualmetrics.asgi.request import FILE_MESSAGES, AsgiRequest
from dualmetrics.asgi.types import Message, Scope
from dualmetrics.http.request_details import RequestDetails
from dualmetrics.http.traced_request import TracedRequest

if TYPE_CHECKING:
    from dualmetrics.http.detailed_recorder import DetailedRecorder
    from dualmetrics.http.request_recorder import RequestRecorder
    from dualmetrics.telemetry import Telemetry


class DetailedAsgiRequest(AsgiRequest):
    """An `AsgiRequest` that also counts bytes, and that a handler can say more about."""

    __slots__ = ("_details",)

    def __init__(self, telemetry: Telemetry, recorder: DetailedRecorder, *others: Any) -> None:
        self._details = RequestDetails(telemetry.server_metrics.details, recorder, self, header_in_scope)
        super().__init__(telemetry, cast("RequestRecorder", self._details), *others)

    async def receive(self) -> Message:
        """Receive a message for the app."""
        message = await super().receive()
        if message["type"] == "http.request":
            self._details.received += len(message.get("body") or b"")
        return message

    def send(self, message: Message) -> Awaitable[None]:
        """Send a message of the app."""
        if self.in_progress:
            count_sent(self._details, message)
        return super().send(message)

    async def _send_start(self, message: Message) -> None:
        await super()._send_start(message)
        if self._details.first_byte is None:
            self._details.first_byte = perf_counter() - self._started


class TracedDetailedAsgiRequest(TracedRequest, DetailedAsgiRequest):
    """A `DetailedAsgiRequest` that is recorded as part of a span."""

    __slots__ = ("_span",)


DETAILED_ASGI_TYPES: tuple[type[AsgiRequest], type[AsgiRequest]] = (
    DetailedAsgiRequest,
    TracedDetailedAsgiRequest,
)


def header_in_scope(scope: Scope, name: str) -> str | None:
    """Return the first header of this name, in lower case, of a request."""
    wanted = name.encode("latin-1")
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == wanted), None)


def count_sent(details: RequestDetails, message: Message) -> None:
    """Count the bytes of a message. The server sends a file of which it gets only the name or number."""
    if details.sent is None:
        return
    try:
        size = file_bytes(message) if message["type"] in FILE_MESSAGES else len(message.get("body") or b"")
    except Exception:  # a message that is wrong: the server says so
        size = None
    details.sent = None if size is None else details.sent + size


def file_bytes(message: Message) -> int:
    """Return how many bytes of a file a message sends. Raises an exception if that cannot be known."""
    if message.get("count") is not None:
        return int(message["count"])
    if "path" in message:
        return os.stat(message["path"]).st_size
    file = message["file"]
    number = file if isinstance(file, int) else file.fileno()
    offset = message.get("offset")
    offset = os.lseek(number, 0, os.SEEK_CUR) if offset is None else offset
    return max(0, os.fstat(number).st_size - offset)
