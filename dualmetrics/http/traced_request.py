"""Records a request as part of the span that was active when the request arrived."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import SpanContext

from dualmetrics.instruments.trace_context import REQUEST_SPAN, local_span


class TracedRequest:
    """Gives the request of either protocol a span. It is mixed in before the class of the request.

    If the tracing middleware is outside of ours, its span is active when the request arrives. It may no
    longer be active when the request is recorded, so it is kept from the beginning.
    """

    __slots__ = ()

    _span: SpanContext | None

    def __init__(self, *arguments: Any) -> None:
        self._span = local_span()  # type: ignore[misc]  # a slot of the classes that this one is mixed into
        super().__init__(*arguments)

    def _record(self, status: int, error: str | None) -> None:
        token = REQUEST_SPAN.set(self._span)
        try:
            super()._record(status, error)  # type: ignore[misc]  # a method of those classes
        finally:
            REQUEST_SPAN.reset(token)
