"""Prometheus' protobuf format: ``io.prometheus.client.MetricFamily`` messages (prometheus/client_model).

It alone carries native histograms; and to say when a series was created costs no series of its own here.
The fields are numbered as in ``io/prometheus/client/metrics.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate

from dualmetrics.exporters import protobuf_wire
from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats.native_histograms import LOWEST, Native, native
from dualmetrics.exporters.prometheus.formats.text import Text
from dualmetrics.exporters.prometheus.naming.exemplar_labels import exemplar_labels
from dualmetrics.exporters.prometheus.rows import Fill
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplar, Point

_TYPES = {"counter": 0, "gauge": 1, "info": 1, "stateset": 1, "summary": 2, "unknown": 3, "histogram": 4}

_METRIC = 4  # the field of MetricFamily; the next ones are of Metric
_LABEL, _GAUGE, _COUNTER, _SUMMARY, _UNTYPED, _HISTOGRAM = 1, 2, 3, 4, 5, 7

_BOUND = len(protobuf_wire.double(2, 0.0))
_BUCKETS = [
    protobuf_wire.tag(3, protobuf_wire.BYTES)
    + protobuf_wire.varint(1 + length + _BOUND)
    + protobuf_wire.tag(1, protobuf_wire.VARINT)
    for length in range(11)
]
"""What stands before a bucket's count, by the length of that: there are many buckets."""


class Protobuf(Text):
    """Length-delimited messages, one a family; they claim the names that the text claims."""

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """Name, help, type and unit; the series are the rest of the same message."""
        fields = protobuf_wire.text(1, family.name)
        if family.help:
            fields += protobuf_wire.text(2, family.help)
        fields += protobuf_wire.whole(3, _TYPES[family.type])
        if family.declared_unit:
            fields += protobuf_wire.text(5, family.declared_unit)
        return protobuf_wire.varint(len(fields) + sum(map(len, series))) + fields

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Writes a Metric."""
        before = _labels(_LABEL, labels)
        if family.type == "histogram":
            # No negative zero, as in text.
            bounds = tuple(
                protobuf_wire.double(2, bound + 0.0) for bound in (*descriptor.bounds, float("inf"))
            )
            return partial(_histogram, before, bounds)
        if family.type == "summary":
            return partial(_summary, before, descriptor.bounds)
        if family.type == "unknown":
            return partial(_untyped, before)
        return partial(_counter if family.type == "counter" else _gauge, before)


def _gauge(before: bytes, point: Point) -> bytes:
    return _metric(before, _GAUGE, protobuf_wire.double(1, point.cells[0]))


def _untyped(before: bytes, point: Point) -> bytes:
    return _metric(before, _UNTYPED, protobuf_wire.double(1, point.cells[0]))


def _summary(before: bytes, quantiles: Sequence[float], point: Point) -> bytes:
    count, total, *values = point.cells[:-1]
    found = zip(quantiles, values, strict=True)
    return _metric(
        before,
        _SUMMARY,
        protobuf_wire.whole(1, int(count)),
        protobuf_wire.double(2, total),
        *(
            protobuf_wire.message(3, protobuf_wire.double(1, quantile) + protobuf_wire.double(2, value))
            for quantile, value in found
        ),
        protobuf_wire.message(4, _timestamp(point.start_time_ns)),
    )


def _counter(before: bytes, point: Point) -> bytes:
    found = b"".join(protobuf_wire.message(2, _exemplar(each)) for each in point.exemplars if each)
    created = protobuf_wire.message(3, _timestamp(point.start_time_ns))
    return _metric(before, _COUNTER, protobuf_wire.double(1, point.cells[0]), found, created)


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
        protobuf_wire.whole(1, total),
        protobuf_wire.double(2, value),
        *buckets,
        fields,
        protobuf_wire.message(15, _timestamp(point.start_time_ns)),
    )


def _bucket(count: int, bound: bytes) -> bytes:
    """With the count of all up to this bound."""
    number = protobuf_wire.varint(count)
    return _BUCKETS[len(number)] + number + bound


@lru_cache(4096)
def _delta(value: int) -> bytes:
    return protobuf_wire.zigzag(13, value)


def _native(found: Native) -> bytes:
    """Schema, threshold and number of zeros, and the buckets."""
    spans = (
        protobuf_wire.zigzag(1, span.offset) + protobuf_wire.whole(2, span.length) for span in found.spans
    )
    return b"".join(
        (
            protobuf_wire.zigzag(5, found.schema),
            protobuf_wire.double(6, 0.0),
            protobuf_wire.whole(7, found.zeros),
            *(protobuf_wire.message(12, span) for span in spans),
            *map(_delta, found.deltas),
        )
    )


def _bucket_with(count: int, bound: bytes, exemplar: Exemplar | None) -> bytes:
    if exemplar is None:
        return _bucket(count, bound)
    return protobuf_wire.message(
        3, protobuf_wire.whole(1, count) + bound + protobuf_wire.message(3, _exemplar(exemplar))
    )


def _metric(before: bytes, field: int, *fields: bytes) -> bytes:
    """The series with its labels, and in that field its value."""
    value = protobuf_wire.message(field, b"".join(fields))
    return protobuf_wire.message(_METRIC, before + value)


def _exemplar(exemplar: Exemplar) -> bytes:
    labels, value = _labels(1, exemplar_labels(exemplar)), protobuf_wire.double(2, exemplar.value)
    return labels + value + protobuf_wire.message(3, _timestamp(exemplar.time_ns))


def _labels(field: int, labels: Mapping[str, str]) -> bytes:
    pairs = (protobuf_wire.text(1, name) + protobuf_wire.text(2, value) for name, value in labels.items())
    return b"".join(protobuf_wire.message(field, pair) for pair in pairs)


def _timestamp(nanoseconds: int) -> bytes:
    """``google.protobuf.Timestamp``."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return protobuf_wire.whole(1, seconds) + protobuf_wire.whole(2, rest)
