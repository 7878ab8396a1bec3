"""Prometheus' protobuf messages, parsed by Google's library.

The schema is that of prometheus/client_model, ``io/prometheus/client/metrics.proto``, without summaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

PACKAGE = "io.prometheus.client"

_TYPES = {
    kind: getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{kind.upper()}")
    for kind in ("string", "double", "uint64", "uint32", "int64", "sint32", "sint64")
}
_ENUM = ("COUNTER", "GAUGE", "SUMMARY", "UNTYPED", "HISTOGRAM", "GAUGE_HISTOGRAM")

_SCHEMA = {
    "LabelPair": ["1 string name", "2 string value"],
    "Gauge": ["1 double value"],
    "Counter": ["1 double value", "2 Exemplar exemplar", "3 Timestamp created_timestamp"],
    "Untyped": ["1 double value"],
    "Exemplar": ["1 *LabelPair label", "2 double value", "3 Timestamp timestamp"],
    "Bucket": [
        "1 uint64 cumulative_count",
        "4 double cumulative_count_float",
        "2 double upper_bound",
        "3 Exemplar exemplar",
    ],
    "BucketSpan": ["1 sint32 offset", "2 uint32 length"],
    "Histogram": [
        "1 uint64 sample_count",
        "4 double sample_count_float",
        "2 double sample_sum",
        "3 *Bucket bucket",
        "15 Timestamp created_timestamp",
        "5 sint32 schema",
        "6 double zero_threshold",
        "7 uint64 zero_count",
        "8 double zero_count_float",
        "9 *BucketSpan negative_span",
        "10 *sint64 negative_delta",
        "11 *double negative_count",
        "12 *BucketSpan positive_span",
        "13 *sint64 positive_delta",
        "14 *double positive_count",
        "16 *Exemplar exemplars",
    ],
    "Metric": [
        "1 *LabelPair label",
        "2 Gauge gauge",
        "3 Counter counter",
        "5 Untyped untyped",
        "7 Histogram histogram",
        "6 int64 timestamp_ms",
    ],
    "MetricFamily": [
        "1 string name",
        "2 string help",
        "3 MetricType type",
        "4 *Metric metric",
        "5 string unit",
    ],
}


def families(body: bytes) -> Iterator[Any]:
    """The messages of a page. Fails if a message is invalid or has a field that is not in the schema."""
    offset = 0
    while offset < len(body):
        length, offset = _varint(body, offset)
        family = _MetricFamily()
        assert family.ParseFromString(body[offset : offset + length]) == length
        assert _all_known(family)
        yield family
        offset += length


def type_name(family: Any) -> str:
    """The type of a family in lower case."""
    return _ENUM[family.type].lower()


def _varint(body: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (body[offset] & 0x7F) << shift
        offset, shift = offset + 1, shift + 7
        if body[offset - 1] < 0x80:
            return value, offset


def _all_known(message: Any) -> bool:
    size: int = message.ByteSize()
    message.DiscardUnknownFields()
    return bool(size == message.ByteSize())


def _message_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="metrics.proto", package=PACKAGE, syntax="proto2", dependency=[timestamp_pb2.DESCRIPTOR.name]
    )
    kinds = file.enum_type.add(name="MetricType")
    for number, name in enumerate(_ENUM):
        kinds.value.add(name=name, number=number)
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field in fields:
            _add(message, *field.split())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.MetricFamily"))


def _add(message: descriptor_pb2.DescriptorProto, number: str, kind: str, name: str) -> None:
    field = message.field.add(name=name, number=int(number))
    known = descriptor_pb2.FieldDescriptorProto
    field.label = known.LABEL_REPEATED if kind.startswith("*") else known.LABEL_OPTIONAL
    kind = kind.removeprefix("*")
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type = known.TYPE_ENUM if kind == "MetricType" else known.TYPE_MESSAGE
        field.type_name = ".google.protobuf.Timestamp" if kind == "Timestamp" else f".{PACKAGE}.{kind}"


_MetricFamily = _message_class()
