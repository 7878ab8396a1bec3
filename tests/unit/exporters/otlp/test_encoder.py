"""What is packed here is what OpenTelemetry's encoder makes."""

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
from dualmetrics.exporters.otlp.http_transport import Responses
from dualmetrics.exporters.otlp.packed_session import PackedSession
from dualmetrics.exporters.otlp.sdk_model import to_metrics_data, to_sdk_scope
from dualmetrics.exporters.otlp.temporality import delta_predicate
from dualmetrics.exporters.otlp.transport import Transport
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Exemplar, Family, Point, Snapshot
from tests.unit.exporters import generated
from tests.unit.exporters.snapshots import APP, HISTOGRAM, TIME, everything, family, many, snapshot

SUMMARY = Descriptor(APP, "sizes", Kind.SUMMARY, "By", bounds=(0.5, 0.9))


def officially(snapshot: Snapshot, preference: str = "cumulative") -> ExportMetricsServiceRequest:
    """The same by the official encoder."""
    message: ExportMetricsServiceRequest = encode_metrics(
        to_metrics_data(snapshot, delta_predicate(preference))
    )
    return message


def parsed(messages: Iterable[bytes]) -> list[ExportMetricsServiceRequest]:
    return [ExportMetricsServiceRequest.FromString(message) for message in messages]


def told_apart(snapshot: Snapshot) -> bool:
    """Whether the official encoder keeps the scopes: of those that are alike to it, it sends the last one."""
    scopes = {family.descriptor.scope for family in snapshot.families}
    return len({to_sdk_scope(scope) for scope in scopes}) == len(scopes)


def plain(message: ExportMetricsServiceRequest) -> bytes:
    """What compares equal, NaN included."""
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
def test_every_kind_is_packed_as_the_official_encoder_encodes_it(preference: str) -> None:
    [message] = parsed(OtlpEncoder(delta_predicate(preference)).messages(everything()))
    assert message == officially(everything(), preference)


@given(st.data())
def test_any_snapshot_and_what_becomes_of_it_are_packed_like_that(data: st.DataObject) -> None:
    packer, found = OtlpEncoder(), data.draw(generated.snapshots)
    for _ in range(3):
        assume(told_apart(found))
        try:
            expected = officially(found)
        except ValueError:  # texts that UTF-8 cannot carry: what is recorded has none
            with pytest.raises(ValueError, match="surrogates"):
                [*packer.messages(found)]
            return
        if any(scope.metrics for scope in expected.resource_metrics[0].scope_metrics):
            [message] = parsed(packer.messages(found))
            assert plain(message) == plain(expected)
        else:
            assert [*packer.messages(found)] == []
        found = data.draw(generated.successors(found))


@given(st.integers(1, 20_000))
def test_messages_are_cut_at_the_limit_and_hold_each_point_once(limit: int) -> None:
    found = snapshot(*everything().families, *many(30).families)
    messages = [*OtlpEncoder().messages(found, limit)]
    assert sorted(points(parsed(messages))) == sorted(points([officially(found)]))
    assert all(len(message) < limit + 1000 for message in messages)
    assert len(messages) <= 1 + sum(map(len, messages)) // limit


def test_a_snapshot_without_points_has_no_message() -> None:
    assert [*OtlpEncoder().messages(snapshot())] == []
    assert [*OtlpEncoder().messages(snapshot(Family(HISTOGRAM, ())))] == []


def test_summaries_and_histograms_without_a_sum_are_packed_too() -> None:
    found = snapshot(
        family(SUMMARY, 3.0, 6.5, 1.0, 2.0, TIME / 1e9), family(HISTOGRAM, 1.0, 0.0, 2.0, float("nan"))
    )
    [message] = parsed(OtlpEncoder().messages(found))
    expected = officially(found)
    expected.MergeFrom(summaries.encode_summaries(found))
    assert sorted(points([message])) == sorted(points([expected]))


class Text(str):
    """A text that can be seen to be gone."""

    __slots__ = ("__weakref__",)


def test_attributes_of_series_that_are_gone_are_not_kept() -> None:
    packer, route = OtlpEncoder(), Text("/gone")
    gone = weakref.ref(route)
    points = many(2000).families[0].points
    before = Point((("http.route", route),), 1, points[0].cells)
    descriptor = many(1).families[0].descriptor
    [*packer.messages(snapshot(Family(descriptor, (before, *points))))]
    del route, before
    assert gone() is not None
    [*packer.messages(snapshot(Family(descriptor, points[:1])))]
    gc.collect()
    assert gone() is None


def test_attributes_that_are_equal_to_python_alone_are_told_apart() -> None:
    found = Family(
        HISTOGRAM, tuple(Point((("a", value),), 1, (0.0, 0.0, 1.0, 1.0)) for value in (1, True, 1.0))
    )
    [message] = parsed(OtlpEncoder().messages(snapshot(found)))
    assert message == officially(snapshot(found))


def test_points_with_exemplars_do_not_keep_the_others_from_being_packed() -> None:
    seen = (Exemplar(1.0, TIME, 3, 4), None, None)
    cells = ((1.0, 0.0, 2.0, 3.0), (2.0, 0.0, 2.0, 3.0), (3.0, 0.0, 2.0, math.nan), (4.0, 0.0, 0.0, 3.0))
    points = tuple(
        Point((("number", number),), 1, each, seen if number % 2 else ()) for number, each in enumerate(cells)
    )
    found = snapshot(Family(HISTOGRAM, points))
    [message] = parsed(OtlpEncoder().messages(found))
    assert plain(message) == plain(officially(found))


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


def test_scopes_that_are_alike_to_the_official_encoder_are_both_sent() -> None:
    families = [
        Family(
            replace(HISTOGRAM, scope=Scope("shop", attributes=pairs)), (Point((), 1, (0.0, 0.0, 1.0, 1.0)),)
        )
        for pairs in ((), (("", "dropped"),))
    ]
    assert len(points(parsed(OtlpEncoder().messages(snapshot(*families))))) == 2
