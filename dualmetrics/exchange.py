"""One HTTP request and its response on their way through the ASGI middleware."""

from __future__ import annotations

from time import perf_counter

from dualmetrics.asgi_types import Message, Name, Receive, Scope, Send
from dualmetrics.conventions import error_type
from dualmetrics.http import Requests
from dualmetrics.trouble import Trouble

MARK = "dualmetrics"
"""The scope's key of a list: the route that `set_route` named, then each Telemetry that counts the request. A
list, because it stays the same one where middleware hands a copy of the scope on."""

BODY = {
    "http.response.body": "more_body",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
}
"""Messages that end a response, unless what they carry under this key is true."""

TRAILERS = {"http.response.trailers": "more_trailers"}
"""The same for a response whose start announced trailers."""

BUFFERED = 65536
"""Bytes that a server takes without waiting for the client."""

CLIENT_GONE = 499
"""The status of a request whose client left before the response began."""


class Exchange:
    """Notes what passes between server and app; records it once, at the last byte or at the app's end."""

    __slots__ = (
        "_began",
        "_endings",
        "_gone",
        "_name",
        "_path",
        "_receive",
        "_requests",
        "_scope",
        "_send",
        "_status",
        "_trouble",
        "_under_way",
    )

    def __init__(
        self,
        requests: Requests,
        name: Name,
        trouble: Trouble,
        scope: Scope,
        path: str,
        receive: Receive,
        send: Send,
    ) -> None:
        self._requests = requests
        self._name = name
        self._trouble = trouble
        self._scope = scope
        self._path = path
        self._receive = receive
        self._send = send
        self._status = 0
        self._gone = False
        self._under_way = True
        self._endings = BODY
        requests.begin()
        self._began = perf_counter()

    async def receive(self) -> Message:
        """What the app hears."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """What the app says. The response has begun, and has ended, when the server has taken that part.

        A last part that the server takes at once is counted before: who has the whole answer is counted,
        though the worker be killed in that moment.
        """
        kind = message["type"]
        more = self._endings.get(kind)
        ends = more is not None and self._under_way and not message.get(more)
        if ends and self._status and taken_at_once(message):
            self._record(self._status, None)
        await self._send(message)
        if kind == "http.response.start":
            self._status = message["status"]
            if message.get("trailers"):
                self._endings = TRAILERS
        elif ends and self._under_way:
            self._record(self._status, None)

    def returned(self) -> None:
        """The app has returned, perhaps without a response."""
        if self._under_way:
            self._record(self._status or (CLIENT_GONE if self._gone else 500), None)

    def failed(self, error: BaseException) -> None:
        """The app has raised, or was cancelled because nobody waits for its response any more."""
        if not self._under_way:
            return
        if isinstance(error, (Exception, KeyboardInterrupt, SystemExit)) and not (
            self._gone and not self._status
        ):
            self._record(self._status or 500, error_type(error))
        else:
            self._record(self._status or CLIENT_GONE, None)

    def _record(self, status: int, error: str | None) -> None:
        self._under_way = False
        self._requests.end(self._route(), status, error, perf_counter() - self._began)

    def _route(self) -> str | None:
        try:
            named: str | None = self._scope[MARK][0]
            return self._name(self._scope, self._path) if named is None else named
        except Exception as error:
            self._trouble.error("naming a route", error)
            return None


def taken_at_once(message: Message) -> bool:
    """Whether handing over this part takes no time: no file, and no more than servers buffer."""
    return len(message.get("body", b"")) <= BUFFERED and "file" not in message and "path" not in message
