"""CPU time of a push: the snapshot becomes bytes, and the bytes go to a Collector."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import peers, series
from benchmarks.page_floors import PackingFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.timing import cpu_milliseconds


def floor(count: int) -> Measure:
    _, rows, touch = series.floor_cells(count)
    packing = PackingFloor("took", series.label_sets(count), time.time_ns())

    def encode() -> bytes:
        return packing.encode(rows, time.time_ns())

    return lambda repetitions: {"to bytes": cpu_milliseconds(encode, repetitions, lambda: touch(1))}


def ours(count: int) -> Measure:
    from dualmetrics.exporters.otlp.encoder import OtlpEncoder

    telemetry, touch = series.ours(count)
    encoder = OtlpEncoder()

    def encode() -> list[bytes]:
        return [*encoder.messages(telemetry.snapshot())]

    def push() -> None:
        _check(telemetry.force_flush(60))

    def measure(repetitions: int) -> Values:
        return {
            "to bytes": cpu_milliseconds(encode, repetitions, lambda: touch(1)),
            "pushed": cpu_milliseconds(push, repetitions, lambda: touch(1)),
        }

    return measure


def ours_grpc(count: int) -> Measure:
    """The push over gRPC, where the official exporter encodes."""
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    from dualmetrics.exporters.otlp.batching import sdk_messages
    from dualmetrics.exporters.otlp.temporality import always_cumulative

    telemetry, touch = series.ours(count)
    messages = sdk_messages(always_cumulative)

    def encode() -> list[bytes]:
        return [encode_metrics(message).SerializeToString() for message in messages(telemetry.snapshot())]

    return lambda repetitions: {"to bytes": cpu_milliseconds(encode, repetitions, lambda: touch(1))}


def otel(count: int) -> Measure:
    reader = _encoding_reader()
    provider, touch = series.otel(count, peers.otlp_reader(series.DAY), reader)

    def push() -> None:
        # This flushes every reader; the one that only encodes does nothing then.
        _check(provider.force_flush(60_000))

    def measure(repetitions: int) -> Values:
        return {
            "to bytes": cpu_milliseconds(reader.collect, repetitions, lambda: touch(1)),
            "pushed": cpu_milliseconds(push, repetitions, lambda: touch(1)),
        }

    return measure


def _encoding_reader() -> Any:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
    from opentelemetry.sdk.metrics.export import MetricReader

    class EncodingReader(MetricReader):
        def _receive_metrics(self, metrics_data: Any, timeout_millis: float = 0, **kwargs: Any) -> None:
            encode_metrics(metrics_data).SerializeToString()

        def force_flush(self, timeout_millis: float = 0) -> bool:
            return True

        def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
            pass

    return EncodingReader()


def _check(success: bool) -> None:
    if not success:
        raise RuntimeError("the push failed")


QUESTION = Question(
    "otlp",
    "Histograms of 14 bounds, all changed, encoded as OTLP, and pushed over HTTP to a local Collector",
    "ms",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("ours, encoded for gRPC", ours_grpc),
        Contestant("OTel SDK", otel, peers.OTEL),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 5, 1, (1000, 10_000)),
        "full": Effort(3, 7, 1, (1000, 10_000)),
    },
    case="series",
)
