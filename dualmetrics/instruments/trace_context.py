"""Finds the span in which a measurement is made, through OpenTelemetry's tracing API."""

from __future__ import annotations

from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext

SAMPLED = 1
"""The bit of the trace flags that marks a sampled span (W3C Trace Context).

Testing the bit is faster than the property ``TraceFlags.sampled``.
"""

REQUEST_SPAN: ContextVar[SpanContext | None] = ContextVar("dualmetrics.request", default=None)
"""The span of the request that is being recorded. It is set if the middleware already knows the span."""


def active_span(context: Context | None = None) -> SpanContext:
    """Return the active span, whether it is sampled or not. It is invalid if there is none."""
    return trace.get_current_span(context).get_span_context()


def sampled_span(context: Context | None = None) -> SpanContext | None:
    """Return the active span if it is sampled."""
    span = trace.get_current_span(context).get_span_context()
    return span if span.trace_flags & SAMPLED else None


def local_span() -> SpanContext | None:
    """Return the active span if this process created it, whether it is sampled or not.

    A span that comes from a client's ``traceparent`` header is remote and is not returned.
    """
    span = trace.get_current_span().get_span_context()
    return span if span.is_valid and not span.is_remote else None


def has_tracer() -> bool:
    """Whether a global tracer provider is set, so that there can be spans.

    Do not call this if OTEL_PYTHON_TRACER_PROVIDER names a provider, because the call would install it.
    """
    provider = trace.get_tracer_provider()
    return not isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider))
