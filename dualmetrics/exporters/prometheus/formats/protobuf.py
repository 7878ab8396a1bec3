"""Prometheus' protobuf format: ``io.prometheus.client.MetricFamily`` messages (prometheus/client_model).

It alone carries native histograms; and to say when a series was created costs no series of its own here.
The fields are numbered as in ``io/prometheus/client/metrics.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate

from dualmetrics.exporters import wire
from dualmetrics.exporters.prometheus.exemplars import exemplar_labels
from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.native import LOWEST, Native, native
from dualmetrics.exporters.prometheus.rows import Fill
from dualmetrics.exporters.prometheus.text import Text
from dualmetrics.snapshot import Descriptor, Exemplar, Point

_TYPES = {"counter": 0, "gauge": 1, "info": 1, "stateset": 1, "summary": 2, "unknown": 3, "histogram": 4}

_METRIC = 4  # the field of MetricFamily; the next ones are of Metric
_LABEL, _GAUGE, _COUNTER, _SUMMARY, _UNTYPED, _HISTOGRAM = 1, 2, 3, 4, 5, 7

_BOUND = len(wire.double(2, 0.0))
_BUCKETS = [
    wire.tag(3, wire.BYTES) + wire.varint(1 + length + _BOUND) + wire.tag(1, wire.VARINT)
    for length in range(11)
]
"""What stands before a bucket's count, by the length of that: there are many buckets."""


class Protobuf(Text):
    """Length-delimited messages, one a family; they claim the names that the text claims."""

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """Name, help, type and unit; the series are the rest of the same message."""
        fields = wire.text(1, family.name)
        if family.help:
            fields += wire.text(2, family.help)
        fields += wire.whole(3, _TYPES[family.type])
        if family.declared_unit:
            fields += wire.text(5, family.declared_unit)
        return wire.varint(len(fields) + sum(map(len, series))) + fields

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Writes a Metric."""
        before = _labels(_LABEL, labels)
        if family.type == "histogram":
            # No negative zero, as in text.
            bounds = tuple(wire.double(2, bound + 0.0) for bound in (*descriptor.bounds, float("inf")))
            return partial(_histogram, before, bounds)
        if family.type == "summary":
            return partial(_summary, before, descriptor.bounds)
        if family.type == "unknown":
            return partial(_untyped, before)
        return partial(_counter if family.type == "counter" else _gauge, before)


def _gauge(before: bytes, point: Point) -> bytes:
    return _metric(before, _GAUGE, wire.double(1, point.cells[0]))


def _untyped(before: bytes, point: Point) -> bytes:
    return _metric(before, _UNTYPED, wire.double(1, point.cells[0]))


def _summary(before: bytes, quantiles: Sequence[float], point: Point) -> bytes:
    count, total, *values = point.cells[:-1]
    found = zip(quantiles, values, strict=True)
    return _metric(
        before,
        _SUMMARY,
        wire.whole(1, int(count)),
        wire.double(2, total),
        *(wire.message(3, wire.double(1, quantile) + wire.double(2, value)) for quantile, value in found),
        wire.message(4, _timestamp(point.start)),
    )


def _counter(before: bytes, point: Point) -> bytes:
    found = b"".join(wire.message(2, _exemplar(each)) for each in point.exemplars if each)
    created = wire.message(3, _timestamp(point.start))
    return _metric(before, _COUNTER, wire.double(1, point.cells[0]), found, created)


def _histogram(before: bytes, bounds: tuple[bytes, ...], point: Point) -> bytes:
    """Count, sum, the buckets with ascending counts, and when it was created; native buckets, if any."""
    counts = [*map(int, accumulate(point.cells[:-1]))]
    total, value = counts[-1], point.cells[-1]
    fields = b""
    if point.exponential is not None and point.exponential.scale >= LOWEST:
        found = native(point.exponential)
        total, value, fields = found.total, found.sum, _native(found)
        # The native buckets must add up to the count; a value just being recorded may be in one kind only.
        counts = [*(min(count, total) for count in counts[:-1]), total]
    buckets = map(_bucket, counts, bounds)
    if point.exemplars:
        buckets = map(_bucket_with, counts, bounds, point.exemplars)
    return _metric(
        before,
        _HISTOGRAM,
        wire.whole(1, total),
        wire.double(2, value),
        *buckets,
        fields,
        wire.message(15, _timestamp(point.start)),
    )


def _bucket(count: int, bound: bytes) -> bytes:
    """With the count of all up to this bound."""
    number = wire.varint(count)
    return _BUCKETS[len(number)] + number + bound


@lru_cache(4096)
def _delta(value: int) -> bytes:
    return wire.zigzag(13, value)


def _native(found: Native) -> bytes:
    """Schema, threshold and number of zeros, and the buckets."""
    spans = (wire.zigzag(1, span.offset) + wire.whole(2, span.length) for span in found.spans)
    return b"".join(
        (
            wire.zigzag(5, found.schema),
            wire.double(6, 0.0),
            wire.whole(7, found.zeros),
            *(wire.message(12, span) for span in spans),
            *map(_delta, found.deltas),
        )
    )


def _bucket_with(count: int, bound: bytes, exemplar: Exemplar | None) -> bytes:
    if exemplar is None:
        return _bucket(count, bound)
    return wire.message(3, wire.whole(1, count) + bound + wire.message(3, _exemplar(exemplar)))


def _metric(before: bytes, field: int, *fields: bytes) -> bytes:
    """The series with its labels, and in that field its value."""
    value = wire.message(field, b"".join(fields))
    return wire.message(_METRIC, before + value)


def _exemplar(exemplar: Exemplar) -> bytes:
    labels, value = _labels(1, exemplar_labels(exemplar)), wire.double(2, exemplar.value)
    return labels + value + wire.message(3, _timestamp(exemplar.time))


def _labels(field: int, labels: Mapping[str, str]) -> bytes:
    pairs = (wire.text(1, name) + wire.text(2, value) for name, value in labels.items())
    return b"".join(wire.message(field, pair) for pair in pairs)


def _timestamp(nanoseconds: int) -> bytes:
    """``google.protobuf.Timestamp``."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return wire.whole(1, seconds) + wire.whole(2, rest)
