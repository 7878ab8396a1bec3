"""Counts a websocket as active while it is open."""

from __future__ import annotations

from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.http.request_recorder import RequestRecorder


async def watch_websocket(
    app: ASGIApp, recorder: RequestRecorder, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run ``app``. The websocket is active until one side closes it or the app ends."""
    active = True

    def note(message_type: str) -> None:
        nonlocal active
        if active and message_type in ("websocket.close", "websocket.disconnect"):
            active = False
            recorder.cancel()

    async def watched_receive() -> Message:
        message = await receive()
        note(message["type"])
        return message

    async def watched_send(message: Message) -> None:
        await send(message)
        note(message["type"])

    recorder.start()
    try:
        await app(scope, watched_receive, watched_send)
    finally:
        note("websocket.close")
