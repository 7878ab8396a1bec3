"""Counts a websocket as active for as long as it is open."""

from __future__ import annotations

from dualmetrics.asgi.types import ASGIApp, Message, Receive, Scope, Send
from dualmetrics.http.server_metrics import RequestRecorder


async def watch_websocket(
    app: ASGIApp, requests: RequestRecorder, scope: Scope, receive: Receive, send: Send
) -> None:
    """Run ``app``; its websocket is active until one side closes it, or the app ends."""
    active = True

    def leave(kind: str) -> None:
        nonlocal active
        if active and kind in ("websocket.close", "websocket.disconnect"):
            active = False
            requests.cancel()

    async def hear() -> Message:
        message = await receive()
        leave(message["type"])
        return message

    async def tell(message: Message) -> None:
        await send(message)
        leave(message["type"])

    requests.start()
    try:
        await app(scope, hear, tell)
    finally:
        leave("websocket.close")
