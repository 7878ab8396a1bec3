"""What a push costs the processor: the totals become bytes, and these go to a Collector."""

from __future__ import annotations

import time
from typing import Any

from benchmarks import peers, series
from benchmarks.page_floors import PackingFloor
from benchmarks.question import Contestant, Effort, Measure, Question, Values
from benchmarks.timing import mean_milliseconds


def floor(count: int) -> Measure:
    _, rows, touch = series.floor_cells(count)
    packing = PackingFloor("took", series.label_sets(count), time.time_ns())

    def measure(amount: int) -> Values:
        return {
            "to bytes": mean_milliseconds(
                lambda: packing.encode(rows, time.time_ns()), amount, lambda: touch(1)
            ),
        }

    return measure


def ours(count: int) -> Measure:
    from dualmetrics.exporters.otlp.encoder import OtlpEncoder

    telemetry, touch = series.ours(count)
    packer = OtlpEncoder()

    def to_bytes() -> list[bytes]:
        return [*packer.messages(telemetry.snapshot())]

    def measure(amount: int) -> Values:
        return {
            "to bytes": mean_milliseconds(to_bytes, amount, lambda: touch(1)),
            "pushed": mean_milliseconds(lambda: _sure(telemetry.force_flush(60)), amount, lambda: touch(1)),
        }

    return measure


def ours_grpc(count: int) -> Measure:
    """As it is pushed over gRPC, where the official exporter encodes."""
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    from dualmetrics.exporters.otlp.messages import objects
    from dualmetrics.exporters.otlp.sdk_model import always_cumulative

    telemetry, touch = series.ours(count)
    messages = objects(always_cumulative)

    def to_bytes() -> list[bytes]:
        return [encode_metrics(each).SerializeToString() for each in messages(telemetry.snapshot())]

    return lambda amount: {"to bytes": mean_milliseconds(to_bytes, amount, lambda: touch(1))}


def otel(count: int) -> Measure:
    collected = _encoding_reader()
    provider, touch = series.otel(count, peers.otlp_reader(series.DAY), collected)

    def measure(amount: int) -> Values:
        return {
            "to bytes": mean_milliseconds(collected.collect, amount, lambda: touch(1)),
            "pushed": mean_milliseconds(lambda: _push(provider), amount, lambda: touch(1)),
        }

    return measure


def _push(provider: Any) -> None:
    # Every reader is flushed; the one that only encodes adds nothing, since it is silent then.
    _sure(provider.force_flush(60_000))


def _encoding_reader() -> Any:
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
    from opentelemetry.sdk.metrics.export import MetricReader

    class Encoding(MetricReader):
        def _receive_metrics(self, metrics_data: Any, timeout_millis: float = 0, **kwargs: Any) -> None:
            encode_metrics(metrics_data).SerializeToString()

        def force_flush(self, timeout_millis: float = 0) -> bool:
            return True

        def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
            pass

    return Encoding()


def _sure(success: bool) -> None:
    if not success:
        raise RuntimeError("the push failed")


QUESTION = Question(
    "otlp",
    "A push of histograms of 14 bounds, all changed; pushed: with HTTP to a Collector on the same machine",
    "ms",
    (
        Contestant("floor", floor),
        Contestant("ours", ours, ("dualmetrics",)),
        Contestant("ours, as gRPC needs it", ours_grpc),
        Contestant("OTel SDK", otel, peers.OTEL),
    ),
    {
        "tiny": Effort(1, 1, 1, (20,)),
        "quick": Effort(1, 5, 1, (1000, 10_000)),
        "full": Effort(3, 7, 1, (1000, 10_000)),
    },
    case="label sets",
)
