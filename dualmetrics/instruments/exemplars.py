"""Exemplars: which measurements become one, and where they are kept.

While there is no tracer there are no exemplars, and recording pays nothing for them: the recording functions
are made without exemplars, and they are made again when a tracer appears. A tracer is looked for at startup,
when a new series is recorded, at each scrape, and at each tick of the background thread (every
`worker_thread.TICK_SECONDS`). So an app that sets its tracer late misses the exemplars of a few seconds.
"""

from __future__ import annotations

import time

from opentelemetry.trace import SpanContext

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.config.settings import Settings
from dualmetrics.instruments.trace_context import (
    REQUEST_SPAN,
    SAMPLED,
    active_span,
    has_tracer,
    sampled_span,
)
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplar
from dualmetrics.runtime.callbacks import Callback, WeakCallbacks
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import exemplar_slots
from dualmetrics.storage.exemplar_slots import SlotBytes


class ExemplarFilter:
    """Applies OTEL_METRICS_EXEMPLAR_FILTER."""

    def __init__(self, store: GroupStore, errors: ErrorReporter, settings: Settings) -> None:
        self._store = store
        self._errors = errors
        self._trace_based = settings.exemplar_filter == "trace_based"
        self._tracer_is_configured = settings.tracer_provider_configured
        self._listeners = WeakCallbacks()
        self.active = settings.exemplar_filter == "always_on"
        """Whether any measurement may become an exemplar."""
        self.span = sampled_span if self._trace_based else active_span
        """Returns the span of a measurement that is made now, or None if it must not become an exemplar."""
        self.detect_tracer()

    def request_span(self) -> SpanContext | None:
        """Return the span of the request that is being recorded, or None, as `span` does."""
        span = REQUEST_SPAN.get()
        if span is None:
            return self.span()
        return span if span.trace_flags & SAMPLED or not self._trace_based else None

    def on_active(self, listener: Callback) -> None:
        """Call ``listener`` when `active` becomes true, or now if it is. A bound method is held weakly."""
        self._listeners.add(listener)
        if self.active:
            listener()

    def detect_tracer(self) -> None:
        """Become active if there is a tracer by now.

        If the environment names a tracer provider, it is not looked up, because that would install it.
        """
        if self._trace_based and not self.active and (self._tracer_is_configured or has_tracer()):
            self.active = True
            self._listeners()
            self._store.invalidate_rows()

    def reservoir(self, descriptor: Descriptor, attributes: Attributes) -> ExemplarReservoir:
        """Return the reservoir of one series. It must not be used after the row of the series is invalid."""
        return ExemplarReservoir(self._store, self._errors, descriptor, attributes)


class ExemplarReservoir:
    """Keeps the latest exemplar of each bucket of one series.

    The slots for all buckets are allocated with the first exemplar.
    """

    __slots__ = ("_attributes", "_descriptor", "_errors", "_slots", "_store")

    def __init__(
        self, store: GroupStore, errors: ErrorReporter, descriptor: Descriptor, attributes: Attributes
    ) -> None:
        self._store = store
        self._errors = errors
        self._descriptor = descriptor
        self._attributes = attributes
        self._slots: SlotBytes | None = None

    def offer(self, bucket: int, value: float, span: SpanContext) -> None:
        """Keep a measurement that is made now as the exemplar of its bucket. Never raises."""
        try:
            if self._slots is None:
                self._slots = self._store.slots(self._descriptor, self._attributes)
            exemplar = Exemplar(value, time.time_ns(), span.trace_id, span.span_id)
            exemplar_slots.write_slot(self._slots, bucket, exemplar)
        except Exception as error:
            self._errors.error("keeping an exemplar", error)
