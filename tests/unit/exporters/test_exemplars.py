"""Exemplars in each format, read by its parser or by a Collector."""

from __future__ import annotations

from typing import Any

import pytest

from dualmetrics.cli.otlp_points import ReceivedPoint
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.otlp.exporter import otlp_target
from dualmetrics.exporters.otlp.temporality import delta_predicate, subtract
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Exemplar, Exemplars, Family, Point, Snapshot
from tests.unit.exporters.prometheus import client_model, reading
from tests.unit.exporters.snapshots import COUNTER, HISTOGRAM, OWN, START, TIME, snapshot

SECOND = 1_000_000_000
ONE, TWO = (Exemplar(value, TIME - 2 * SECOND, 0xAB << 120, 0xCD) for value in (1.5, 7.25))
ALONE = Exemplar(1.0, TIME - SECOND, 0, 0)


def point(*cells: float, exemplars: Exemplars = ()) -> Point:
    return Point((), START, cells, exemplars)


def observed(*, late: bool = False) -> Snapshot:
    """A counter and a histogram. With ``late``, each has one more measurement, with a newer exemplar."""
    more, last = (1.0, TWO._replace(time_ns=TIME - SECOND)) if late else (0.0, TWO)
    return snapshot(
        Family(COUNTER, (point(2.0 + more, exemplars=(ALONE,)),)),
        Family(HISTOGRAM, (point(1.0, 1.0 + more, 0.0, 8.75, exemplars=(ONE, last, None)),)),
    )


def openmetrics(whole: Snapshot) -> dict[reading.Sample, object]:
    """The exemplar of each sample as parsed: labels, value, and time in milliseconds."""
    page = PrometheusExporter().render(whole, negotiate(reading.OPENMETRICS))
    return {
        reading.named(sample.name, sample.labels): _read(sample.exemplar)
        for metric in reading.metrics(page)
        for sample in metric.samples
        if sample.exemplar
    }


def _read(exemplar: Any) -> object:
    return exemplar.labels, exemplar.value, round(float(exemplar.timestamp) * 1000)


def test_openmetrics_has_exemplars_on_buckets_and_totals() -> None:
    ids = {"trace_id": "ab" + "0" * 30, "span_id": "00000000000000cd"}
    now = TIME // 1_000_000
    assert openmetrics(observed()) == {
        ("http_requests_total", ()): ({}, 1.0, now - 1000),
        ("http_request_duration_milliseconds_bucket", (("le", "5.0"),)): (ids, 1.5, now - 2000),
        ("http_request_duration_milliseconds_bucket", (("le", "10.0"),)): (ids, 7.25, now - 2000),
    }


PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"


def test_protobuf_has_exemplars_on_buckets_and_counters() -> None:
    page = PrometheusExporter().render(observed(), negotiate(PROTOBUF))
    families = {family.name: family for family in client_model.families(b"".join(page.pieces))}
    [counter] = families["http_requests_total"].metric
    [histogram] = families["http_request_duration_milliseconds"].metric
    assert _plain(counter.counter.exemplar) == ({}, 1.0, ALONE.time_ns)
    ids = {"trace_id": "ab" + "0" * 30, "span_id": "00000000000000cd"}
    *buckets, last = histogram.histogram.bucket
    assert [_plain(bucket.exemplar) for bucket in buckets] == [
        (ids, 1.5, ONE.time_ns),
        (ids, 7.25, TWO.time_ns),
    ]
    assert not last.HasField("exemplar")


def _plain(exemplar: Any) -> object:
    time = exemplar.timestamp
    labels = {pair.name: pair.value for pair in exemplar.label}
    return labels, exemplar.value, time.seconds * SECOND + time.nanos


def test_the_text_format_has_no_exemplars() -> None:
    page = reading.body(PrometheusExporter().render(observed(), negotiate("text/plain")))
    assert " # {" not in page
    assert "trace_id" not in page


def test_a_counter_of_unknown_type_in_openmetrics_has_no_exemplar() -> None:
    odd = Descriptor(OWN, "total", Kind.COUNTER)
    assert openmetrics(snapshot(Family(odd, (point(1.0, exemplars=(ONE,)),)))) == {}


def test_a_new_exemplar_is_shown_even_if_nothing_else_has_changed() -> None:
    exporter = PrometheusExporter()
    for value in ("1", "2"):
        family = Family(COUNTER, (point(5.0, exemplars=(ALONE._replace(value=float(value)),)),))
        page = reading.body(exporter.render(snapshot(family), negotiate(reading.OPENMETRICS)))
        assert f"http_requests_total 5 # {{}} {value} " in page


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_collector_receives_exemplars(protocol: str) -> None:
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        target = otlp_target(endpoint, False, protocol, None, timeout=5)
        assert target.export(observed()).success
        target.shutdown()
        received = by_name(receiver)
    assert received["http.requests"].exemplars == (ALONE,)
    assert received["http.request.duration"].exemplars == (ONE, TWO)


def test_an_exemplar_without_a_span_is_sent_without_ids() -> None:
    with Receiver() as receiver:
        target = otlp_target(receiver.http_endpoint, False, "http/protobuf", None, timeout=5)
        assert target.export(observed()).success
        target.shutdown()
        [scope] = receiver.requests[0].message.resource_metrics[0].scope_metrics
    [exemplar] = scope.metrics[0].sum.data_points[0].exemplars
    assert (exemplar.trace_id, exemplar.span_id, exemplar.as_double) == (b"", b"", 1.0)


def test_a_delta_has_the_exemplars_since_the_baseline() -> None:
    baseline = Snapshot(TIME - 3 * SECOND // 2, (), observed().families)
    sent = subtract(observed(late=True), baseline, delta_predicate("delta"))
    exemplars = {family.descriptor.name: family.points[0].exemplars for family in sent.families}
    assert exemplars == {
        "http.requests": (ALONE,),
        "http.request.duration": (TWO._replace(time_ns=TIME - SECOND),),
    }


def by_name(receiver: Receiver) -> dict[str, ReceivedPoint]:
    return {name: series for (_, name, _, _), series in receiver.series().items()}
