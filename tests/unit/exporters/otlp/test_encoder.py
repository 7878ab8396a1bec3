"""Our encoder produces the same messages as OpenTelemetry's encoder."""

from __future__ import annotations

import gc
import math
import weakref
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData

from dualmetrics.exporters.otlp import summaries
from dualmetrics.exporters.otlp.encoder import OtlpEncoder
from dualmetrics.exporters.otlp.exporter import OtlpExporter
from dualmetrics.exporters.otlp.http_responses import Responses
from dualmetrics.exporters.otlp.packed_session import PackedSession
from dualmetrics.exporters.otlp.sdk_model import to_metrics_data, to_sdk_scope
from dualmetrics.exporters.otlp.temporality import delta_predicate
from dualmetrics.exporters.otlp.transport import Transport
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Exemplar, Family, Point, Snapshot
from tests.unit.exporters import generated
from tests.unit.exporters.snapshots import APP, HISTOGRAM, TIME, everything, family, many, snapshot

SUMMARY = Descriptor(APP, "sizes", Kind.SUMMARY, "By", bounds=(0.5, 0.9))


def encode_officially(snapshot: Snapshot, preference: str = "cumulative") -> ExportMetricsServiceRequest:
    """The message of the official encoder."""
    message: ExportMetricsServiceRequest = encode_metrics(
        to_metrics_data(snapshot, delta_predicate(preference))
    )
    return message


def parsed(messages: Iterable[bytes]) -> list[ExportMetricsServiceRequest]:
    return [ExportMetricsServiceRequest.FromString(message) for message in messages]


def are_scopes_distinct(snapshot: Snapshot) -> bool:
    """Whether the official encoder sends all scopes. Of scopes that it considers equal, it sends only one."""
    scopes = {family.descriptor.scope for family in snapshot.families}
    return len({to_sdk_scope(scope) for scope in scopes}) == len(scopes)


def plain(message: ExportMetricsServiceRequest) -> bytes:
    """Bytes that are equal for equal messages, even with NaN."""
    return message.SerializeToString(deterministic=True)


def points(messages: Iterable[ExportMetricsServiceRequest]) -> list[tuple[bytes, bytes, str, bytes]]:
    """All points, each with its resource, scope and metric."""
    return [
        (
            resource.resource.SerializeToString(),
            scope.scope.SerializeToString(),
            metric.name,
            point.SerializeToString(),
        )
        for message in messages
        for resource in message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in getattr(metric, metric.WhichOneof("data") or "").data_points
    ]


@pytest.mark.parametrize("preference", ["cumulative", "delta", "lowmemory"])
def test_every_kind_is_encoded_like_the_official_encoder_does(preference: str) -> None:
    [message] = parsed(OtlpEncoder(delta_predicate(preference)).messages(everything()))
    assert message == encode_officially(everything(), preference)


@given(st.data())
def test_any_snapshots_are_encoded_like_the_official_encoder_does(data: st.DataObject) -> None:
    encoder, current = OtlpEncoder(), data.draw(generated.snapshots)
    for _ in range(3):
        assume(are_scopes_distinct(current))
        try:
            expected = encode_officially(current)
        except ValueError:  # text that UTF-8 cannot encode, which is never recorded
            with pytest.raises(ValueError, match="surrogates"):
                [*encoder.messages(current)]
            return
        if any(scope.metrics for scope in expected.resource_metrics[0].scope_metrics):
            [message] = parsed(encoder.messages(current))
            assert plain(message) == plain(expected)
        else:
            assert [*encoder.messages(current)] == []
        current = data.draw(generated.successors(current))


@given(st.integers(1, 20_000))
def test_messages_are_split_at_the_limit_and_have_every_point_once(limit: int) -> None:
    whole = snapshot(*everything().families, *many(30).families)
    messages = [*OtlpEncoder().messages(whole, limit)]
    assert sorted(points(parsed(messages))) == sorted(points([encode_officially(whole)]))
    assert all(len(message) < limit + 1000 for message in messages)
    assert len(messages) <= 1 + sum(map(len, messages)) // limit


def test_a_snapshot_without_points_has_no_message() -> None:
    assert [*OtlpEncoder().messages(snapshot())] == []
    assert [*OtlpEncoder().messages(snapshot(Family(HISTOGRAM, ())))] == []


def test_summaries_and_histograms_without_a_sum_are_encoded() -> None:
    whole = snapshot(
        family(SUMMARY, 3.0, 6.5, 1.0, 2.0, TIME / 1e9), family(HISTOGRAM, 1.0, 0.0, 2.0, float("nan"))
    )
    [message] = parsed(OtlpEncoder().messages(whole))
    expected = encode_officially(whole)
    expected.MergeFrom(summaries.encode_summaries(whole))
    assert sorted(points([message])) == sorted(points([expected]))


class Text(str):
    """A string that supports weak references."""

    __slots__ = ("__weakref__",)


def test_attributes_of_removed_series_are_released() -> None:
    encoder, route = OtlpEncoder(), Text("/gone")
    gone = weakref.ref(route)
    points = many(2000).families[0].points
    before = Point((("http.route", route),), 1, points[0].cells)
    descriptor = many(1).families[0].descriptor
    [*encoder.messages(snapshot(Family(descriptor, (before, *points))))]
    del route, before
    assert gone() is not None
    [*encoder.messages(snapshot(Family(descriptor, points[:1])))]
    gc.collect()
    assert gone() is None


def test_attributes_that_are_equal_only_in_python_are_distinguished() -> None:
    metric = Family(
        HISTOGRAM, tuple(Point((("a", value),), 1, (0.0, 0.0, 1.0, 1.0)) for value in (1, True, 1.0))
    )
    [message] = parsed(OtlpEncoder().messages(snapshot(metric)))
    assert message == encode_officially(snapshot(metric))


def test_points_with_and_without_exemplars_keep_their_order() -> None:
    seen = (Exemplar(1.0, TIME, 3, 4), None, None)
    cells = ((1.0, 0.0, 2.0, 3.0), (2.0, 0.0, 2.0, 3.0), (3.0, 0.0, 2.0, math.nan), (4.0, 0.0, 0.0, 3.0))
    points = tuple(
        Point((("number", number),), 1, point_cells, seen if number % 2 else ())
        for number, point_cells in enumerate(cells)
    )
    whole = snapshot(Family(HISTOGRAM, points))
    [message] = parsed(OtlpEncoder().messages(whole))
    assert plain(message) == plain(encode_officially(whole))


class Silent(MetricExporter):
    """Accepts an empty message without sending it."""

    def export(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> MetricExportResult:
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """There is nothing to release."""


def test_a_message_that_the_official_exporter_does_not_send_is_a_failure() -> None:
    responses = Responses()
    session = PackedSession(OtlpEncoder(), responses)
    target = OtlpExporter(Transport(Silent(), session.messages, responses))
    result = target.export(everything())
    assert not result.success
    assert "no request for an empty message" in result.message


def test_scopes_that_the_official_encoder_considers_equal_are_both_sent() -> None:
    families = [
        Family(
            replace(HISTOGRAM, scope=InstrumentationScope("shop", attributes=pairs)),
            (Point((), 1, (0.0, 0.0, 1.0, 1.0)),),
        )
        for pairs in ((), (("", "dropped"),))
    ]
    assert len(points(parsed(OtlpEncoder().messages(snapshot(*families))))) == 2
