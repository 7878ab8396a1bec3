"""The spans that measurements are made in, by OpenTelemetry's tracing API."""

from __future__ import annotations

from contextvars import ContextVar

from opentelemetry import trace
from opentelemetry.context import Context

SAMPLED = 1
"""The bit of the trace flags that says so (W3C Trace Context): to read it is faster than to ask them."""

Span = trace.SpanContext

REQUEST_SPAN: ContextVar[Span | None] = ContextVar("dualmetrics.request", default=None)
"""The span of the request that is being recorded, sampled or not, where its middleware knows it already."""


def active_span(context: Context | None = None) -> Span:
    """The active span, whether it is sampled or not; an invalid one if there is none."""
    return trace.get_current_span(context).get_span_context()


def sampled_span(context: Context | None = None) -> Span | None:
    """The active span, if it is sampled."""
    span = trace.get_current_span(context).get_span_context()
    return span if span.trace_flags & SAMPLED else None


def local_span() -> Span | None:
    """The active span of this process, sampled or not; what a client's header names is not one."""
    span = trace.get_current_span().get_span_context()
    return span if span.is_valid and not span.is_remote else None


def has_tracer() -> bool:
    """Whether spans can be there: somebody has set a global tracer provider.

    Do not call it where OTEL_PYTHON_TRACER_PROVIDER names one: asking would set that.
    """
    provider = trace.get_tracer_provider()
    return not isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider))
