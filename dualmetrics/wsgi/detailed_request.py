"""Records a WSGI request in detail. The class replaces `WsgiRequest` where details are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from dualmetrics.http.marker import full_template
from dualmetrics.http.request_details import RequestDetails
from dualmetrics.http.traced_request import TracedRequest
from dualmetrics.wsgi.counted_input import CountedInput
from dualmetrics.wsgi.environ import Environ
from dualmetrics.wsgi.request import WriteCallable, WsgiRequest
from dualmetrics.wsgi.response_start import UNKNOWN_LENGTH
from dualmetrics.wsgi.sized_body import SizedBody

if TYPE_CHECKING:
    from _typeshed import OptExcInfo

    from dualmetrics.http.detailed_recorder import DetailedRecorder
    from dualmetrics.http.request_recorder import RequestRecorder
    from dualmetrics.telemetry import Telemetry


class DetailedWsgiRequest(WsgiRequest):
    """A `WsgiRequest` that also counts bytes, and that a handler can say more about.

    A server sends the headers with the first part of the body, which is the first byte.
    """

    __slots__ = ("_details", "_length")

    def __init__(
        self, telemetry: Telemetry, recorder: DetailedRecorder, namer: Any, environ: Environ, *others: Any
    ) -> None:
        settings = telemetry.server_metrics.details
        self._details = RequestDetails(settings, recorder, self, header_in_environ)
        self._length = UNKNOWN_LENGTH
        if settings.counts_bytes and "wsgi.input" in environ:
            environ["wsgi.input"] = CountedInput(environ["wsgi.input"], self._details)
        super().__init__(telemetry, cast("RequestRecorder", self._details), namer, environ, *others)

    def start(
        self, status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> WriteCallable:
        """The ``start_response`` of the app."""
        write = super().start(status, headers, exc_info)
        self._length = self._bytes_left

        def counted_write(data: bytes) -> object:
            self._count(data)
            return write(data)

        return counted_write

    def wrap_body(self, body: Iterable[bytes]) -> Iterable[bytes]:
        """Return the body that the server gets in place of the body that the app has returned."""
        wrapped = super().wrap_body(body)
        if wrapped is self or isinstance(wrapped, SizedBody):
            self._body = self._counted(body)
        return wrapped

    def hand_over(self, parts: Sequence[bytes]) -> None:
        """Count the only part of the body."""
        for part in parts:
            self._count(part)
        super().hand_over(parts)

    def _watch_close(self, file: Any) -> None:
        """Watch a file, which the server sends by itself: its size is what the header says."""
        self._details.sent = self._length if self._length != UNKNOWN_LENGTH else None
        super()._watch_close(file)

    def _counted(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for part in body:
            self._count(part)
            yield part

    def _count(self, part: bytes) -> None:
        details = self._details
        if details.in_progress and part:
            if details.first_byte is None:
                details.first_byte = perf_counter() - self._started
            details.sent = (details.sent or 0) + len(part)

    def template_now(self) -> str | None:
        """The template of a request in progress. Before the response, the namer is only asked."""
        seen = self.seen
        if self._matched is not None or seen is None or self.recorded_outside() is not None:
            return self.template()
        template = full_template(self, self.with_mount(self.namer(seen)))
        return template if template is None or not self.root else self._mounted_outside() + template

    def _record(self, status_if_not_started: int, error: str | None) -> None:
        if self._details.first_byte is None and self._status:
            self._details.first_byte = perf_counter() - self._started  # of a response without a body
        super()._record(status_if_not_started, error)


class TracedDetailedWsgiRequest(TracedRequest, DetailedWsgiRequest):
    """A `DetailedWsgiRequest` that is recorded as part of a span."""

    __slots__ = ("_span",)


DETAILED_WSGI_TYPES: tuple[type[WsgiRequest], type[WsgiRequest]] = (
    DetailedWsgiRequest,
    TracedDetailedWsgiRequest,
)


def header_in_environ(environ: Environ, name: str) -> str | None:
    """Return a header of a request."""
    key = name.upper().replace("-", "_")
    value: str | None = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}")
    return value
