"""Prometheus' protobuf format: ``io.prometheus.client.MetricFamily`` messages (prometheus/client_model).

It is the only format with native histograms. The time when a series was created costs no extra series here.
Fields are numbered as in ``io/prometheus/client/metrics.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from itertools import accumulate

from dualmetrics.exporters import protobuf_wire
from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats.native_histograms import MIN_SCHEMA, NativeHistogram, to_native
from dualmetrics.exporters.prometheus.formats.text import Text
from dualmetrics.exporters.prometheus.naming.labels import exemplar_labels
from dualmetrics.exporters.prometheus.series_writer import Fill
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplar, Point

_TYPES = {"counter": 0, "gauge": 1, "info": 1, "stateset": 1, "summary": 2, "unknown": 3, "histogram": 4}

_METRIC = 4  # a field of MetricFamily; the following are fields of Metric
_LABEL, _GAUGE, _COUNTER, _SUMMARY, _UNTYPED, _HISTOGRAM = 1, 2, 3, 4, 5, 7

_BOUND_LENGTH = len(protobuf_wire.double_field(2, 0.0))
_BUCKET_PREFIXES = [
    protobuf_wire.tag(3, protobuf_wire.BYTES)
    + protobuf_wire.varint(1 + length + _BOUND_LENGTH)
    + protobuf_wire.tag(1, protobuf_wire.VARINT)
    for length in range(11)
]
"""The bytes before a bucket's count, by the length of the count. Precomputed because buckets are many."""


class Protobuf(Text):
    """Length-delimited messages, one for each family. They claim the same names as the text format."""

    def header(self, family: PageFamily, series: Sequence[bytes]) -> bytes:
        """The message up to its series: name, help, type and unit."""
        fields = protobuf_wire.string_field(1, family.name)
        if family.help:
            fields += protobuf_wire.string_field(2, family.help)
        fields += protobuf_wire.uint_field(3, _TYPES[family.type])
        if family.declared_unit:
            fields += protobuf_wire.string_field(5, family.declared_unit)
        return protobuf_wire.varint(len(fields) + sum(map(len, series))) + fields

    def fill(self, family: PageFamily, descriptor: Descriptor, labels: Mapping[str, str], text: str) -> Fill:
        """Prepare a series, which is a Metric message."""
        prefix = _labels(_LABEL, labels)
        if family.type == "histogram":
            return partial(_histogram, prefix, _encode_bounds(descriptor.bounds))
        if family.type == "summary":
            return partial(_summary, prefix, descriptor.bounds)
        if family.type == "unknown":
            return partial(_untyped, prefix)
        return partial(_counter if family.type == "counter" else _gauge, prefix)


def _encode_bounds(bounds: Sequence[float]) -> tuple[bytes, ...]:
    # Adding zero removes the sign of a negative zero, as in the text format.
    return tuple(protobuf_wire.double_field(2, bound + 0.0) for bound in (*bounds, float("inf")))


def _gauge(prefix: bytes, point: Point) -> bytes:
    return _metric(prefix, _GAUGE, protobuf_wire.double_field(1, point.cells[0]))


def _untyped(prefix: bytes, point: Point) -> bytes:
    return _metric(prefix, _UNTYPED, protobuf_wire.double_field(1, point.cells[0]))


def _summary(prefix: bytes, quantiles: Sequence[float], point: Point) -> bytes:
    count, total, *values = point.cells[:-1]
    return _metric(
        prefix,
        _SUMMARY,
        protobuf_wire.uint_field(1, int(count)),
        protobuf_wire.double_field(2, total),
        *map(_quantile, quantiles, values),
        protobuf_wire.message_field(4, _timestamp(point.start_time_ns)),
    )


def _quantile(quantile: float, value: float) -> bytes:
    content = protobuf_wire.double_field(1, quantile) + protobuf_wire.double_field(2, value)
    return protobuf_wire.message_field(3, content)


def _counter(prefix: bytes, point: Point) -> bytes:
    value = protobuf_wire.double_field(1, point.cells[0])
    exemplars = (protobuf_wire.message_field(2, _exemplar(one)) for one in point.exemplars if one)
    created = protobuf_wire.message_field(3, _timestamp(point.start_time_ns))
    return _metric(prefix, _COUNTER, value, b"".join(exemplars), created)


def _histogram(prefix: bytes, bounds: tuple[bytes, ...], point: Point) -> bytes:
    """A histogram with cumulative counts in its classic buckets, and native buckets if it has any."""
    counts = [*map(int, accumulate(point.cells[:-1]))]
    total, value = counts[-1], point.cells[-1]
    native_fields = b""
    if point.exponential is not None and point.exponential.scale >= MIN_SCHEMA:
        native = to_native(point.exponential)
        total, value, native_fields = native.total, native.sum, _native_fields(native)
        # The native buckets must add up to the count. A value that is being recorded may be in one kind only.
        counts = [*(min(count, total) for count in counts[:-1]), total]
    buckets = map(_bucket, counts, bounds)
    if point.exemplars:
        buckets = map(_bucket_with_exemplar, counts, bounds, point.exemplars)
    return _metric(
        prefix,
        _HISTOGRAM,
        protobuf_wire.uint_field(1, total),
        protobuf_wire.double_field(2, value),
        *buckets,
        native_fields,
        protobuf_wire.message_field(15, _timestamp(point.start_time_ns)),
    )


def _bucket(count: int, bound: bytes) -> bytes:
    """A bucket with its cumulative count."""
    encoded = protobuf_wire.varint(count)
    return _BUCKET_PREFIXES[len(encoded)] + encoded + bound


def _bucket_with_exemplar(count: int, bound: bytes, exemplar: Exemplar | None) -> bytes:
    if exemplar is None:
        return _bucket(count, bound)
    fields = protobuf_wire.uint_field(1, count) + bound + protobuf_wire.message_field(3, _exemplar(exemplar))
    return protobuf_wire.message_field(3, fields)


def _native_fields(native: NativeHistogram) -> bytes:
    """Schema, zero threshold, number of zeros, and buckets."""
    spans = (
        protobuf_wire.sint_field(1, span.offset) + protobuf_wire.uint_field(2, span.length)
        for span in native.spans
    )
    fields = (
        protobuf_wire.sint_field(5, native.schema),
        protobuf_wire.double_field(6, 0.0),
        protobuf_wire.uint_field(7, native.zeros),
        *(protobuf_wire.message_field(12, span) for span in spans),
        *map(_delta, native.deltas),
    )
    return b"".join(fields)


@lru_cache(4096)
def _delta(value: int) -> bytes:
    return protobuf_wire.sint_field(13, value)


def _metric(prefix: bytes, field: int, *fields: bytes) -> bytes:
    """A Metric message: the labels, and in ``field`` the value."""
    value = protobuf_wire.message_field(field, b"".join(fields))
    return protobuf_wire.message_field(_METRIC, prefix + value)


def _exemplar(exemplar: Exemplar) -> bytes:
    labels = _labels(1, exemplar_labels(exemplar))
    value = protobuf_wire.double_field(2, exemplar.value)
    return labels + value + protobuf_wire.message_field(3, _timestamp(exemplar.time_ns))


def _labels(field: int, labels: Mapping[str, str]) -> bytes:
    pairs = (
        protobuf_wire.string_field(1, name) + protobuf_wire.string_field(2, value)
        for name, value in labels.items()
    )
    return b"".join(protobuf_wire.message_field(field, pair) for pair in pairs)


def _timestamp(nanoseconds: int) -> bytes:
    """``google.protobuf.Timestamp``."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return protobuf_wire.uint_field(1, seconds) + protobuf_wire.uint_field(2, rest)
