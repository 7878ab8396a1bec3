"""Exemplars: which measurements become one, and where they are kept.

Nothing is paid for them where there can be none: recording functions are made without them, and anew when a
tracer is seen. It is looked for at first, whenever a row is given, at each scrape, and every few seconds
(`push.BEAT`), until it is there. So one that is set late costs the exemplars of those seconds at most.
"""

from __future__ import annotations

import time

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.config.settings import Settings
from dualmetrics.instruments.trace_context import (
    REQUEST_SPAN,
    SAMPLED,
    Span,
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
        self._traced = settings.exemplar_filter == "trace_based"
        self._announced = settings.tracer_provider_configured  # then a tracer is not looked for: that would make one
        self._told = WeakCallbacks()
        self.active = settings.exemplar_filter == "always_on"
        """Whether any measurement may become an exemplar."""
        self.span = sampled_span if self._traced else active_span
        """Gives the span of a measurement that is made now; None if it becomes no exemplar."""
        self.detect_tracer()

    def request_span(self) -> Span | None:
        """The same for the request that is being recorded."""
        span = REQUEST_SPAN.get()
        if span is None:
            return self.span()
        return span if span.trace_flags & SAMPLED or not self._traced else None

    def on_active(self, listener: Callback) -> None:
        """Call ``listener`` (a bound method is held weakly) when `active` becomes true, or now."""
        self._told.add(listener)
        if self.active:
            listener()

    def detect_tracer(self) -> None:
        """Become active if a tracer is there."""
        if self._traced and not self.active and (self._announced or has_tracer()):
            self.active = True
            self._told()
            self._store.invalidate_rows()

    def reservoir(self, descriptor: Descriptor, attributes: Attributes) -> ExemplarReservoir:
        """Where the exemplars of a series go. Void when its row is."""
        return ExemplarReservoir(self._store, self._errors, descriptor, attributes)


class ExemplarReservoir:
    """Keeps the latest exemplar of each bucket of one series; the first one makes room for all."""

    __slots__ = ("_attributes", "_descriptor", "_errors", "_slots", "_store")

    def __init__(
        self, store: GroupStore, errors: ErrorReporter, descriptor: Descriptor, attributes: Attributes
    ) -> None:
        self._store = store
        self._errors = errors
        self._descriptor = descriptor
        self._attributes = attributes
        self._slots: SlotBytes | None = None

    def offer(self, bucket: int, value: float, span: Span) -> None:
        """Keep a measurement that is made now. Never raises."""
        try:
            if self._slots is None:
                self._slots = self._store.slots(self._descriptor, self._attributes)
            exemplar = Exemplar(value, time.time_ns(), span.trace_id, span.span_id)
            exemplar_slots.write_slot(self._slots, bucket, exemplar)
        except Exception as error:
            self._errors.error("keeping an exemplar", error)
