"""A page that is read, pushed, received and shown again is the same, where OpenTelemetry's rules allow."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from prometheus_client import CollectorRegistry, Counter, Enum
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.exporters.prometheus.naming.translation import KEPT, UNDERSCORES
from dualmetrics.model.snapshot import Snapshot
from tests.unit.bridges import renamed
from tests.unit.bridges.bridged import bridged, foreign, metric, of, telemetry
from tests.unit.bridges.decoded import decoded, through_otlp
from tests.unit.bridges.test_generated import plain, registries
from tests.unit.exporters.prometheus import reading


def text(snapshot: Snapshot, accept: str, strategy: str) -> str:
    """The page, sorted: OTLP does not keep the order of metrics."""
    families = tuple(sorted(snapshot.families, key=lambda family: family.descriptor.name))
    exporter = PrometheusExporter(translation_strategy=strategy, created=True)
    return reading.body(exporter.render(Snapshot(0, snapshot.resource, families), negotiate(accept)))


def reread(registry: object, accept: str) -> Snapshot:
    """What is bridged of a registry's page."""
    read = read_openmetrics if "openmetrics" in accept else read_text
    return foreign(of(*read(text(foreign(registry), accept, UNDERSCORES))))


def gauges(page: str) -> str:
    """The page with the types that OTLP does not have as what they become: gauges."""
    page = re.sub(r"^(# TYPE .*) (?:untyped|unknown|stateset)$", r"\1 gauge", page, flags=re.MULTILINE)
    return re.sub(
        r"^# TYPE (?!target )(.*) info\n# HELP \1 ",
        r"# TYPE \1_info gauge\n# HELP \1_info ",
        page,
        flags=re.MULTILINE,
    )


def check(snapshot: Snapshot, accept: str, strategy: str) -> None:
    page = text(snapshot, accept, strategy)
    assert text(through_otlp(snapshot), accept, strategy) == gauges(page)


@pytest.mark.parametrize("accept", reading.FORMATS)
@given(registry=registries())
def test_a_page_that_went_through_otlp_is_the_same_page(accept: str, registry: CollectorRegistry) -> None:
    check(reread(registry, accept), accept, KEPT)


@pytest.mark.parametrize("accept", reading.FORMATS)
@given(registry=plain)
def test_so_it_is_with_translated_names_that_are_plain(accept: str, registry: CollectorRegistry) -> None:
    check(reread(registry, accept), accept, UNDERSCORES)


KEPT_WHOLE = [
    metric("summary", "s", ("", {"quantile": "0.5"}, math.nan), ("_sum", {}, 2.5), ("_count", {}, 3)),
    metric("histogram", "h", ("_bucket", {"le": "-1"}, 2), ("_bucket", {"le": "+Inf"}, 3)),
    metric("histogram", "i", ("_bucket", {"le": "+Inf"}, 3), ("_sum", {}, math.inf), ("_count", {}, 3)),
    metric("gauge", "g", ("", {"a": "x"}, math.nan), ("", {"a": 'q"\n\\'}, -0.0), ("", {}, 1e300)),
    metric("gauge", "f", ("", {"otel_scope_name": "lib", "otel_scope_version": "2", "otel_scope_k": "v"}, 1)),
    metric("counter", "c", ("_total", {"a": "b"}, 1e18), ("_created", {"a": "b"}, 12.25)),
]
"""Metrics that a registry can only have from collectors of its own."""


@pytest.mark.parametrize("strategy", [UNDERSCORES, KEPT])
@pytest.mark.parametrize("accept", reading.FORMATS)
def test_so_it_is_with_what_collectors_give(accept: str, strategy: str) -> None:
    snapshot = foreign(of(*KEPT_WHOLE))
    assert {family.descriptor.name for family in snapshot.families} == {*"shigf", "c_total"}
    check(snapshot, accept, strategy)
    assert ('c_created{a="b"} 12.25' in text(snapshot, accept, strategy)) == (accept == reading.OPENMETRICS)


@pytest.mark.parametrize("row", renamed.TABLE, ids=lambda row: row.page)
def test_names_that_prometheus_translator_changes(row: renamed.Renamed) -> None:
    snapshot = foreign(of(row.metric))
    assert series(snapshot) == [row.page]
    assert series(through_otlp(snapshot)) == [row.prometheus]
    for accept in reading.FORMATS:
        check(snapshot, accept, KEPT)


def test_gauge_histograms_are_lost() -> None:
    queue = metric("gaugehistogram", "queue", ("_bucket", {"le": "+Inf"}, 3), ("_gcount", {}, 3))
    snapshot = foreign(of(queue))
    assert series(snapshot) == ["queue_bucket{le=+Inf}", "queue_gcount"]
    assert series(through_otlp(snapshot)) == []


def series(snapshot: Snapshot) -> list[str]:
    """The names and labels on the page."""
    lines = text(snapshot, "text/plain", UNDERSCORES).splitlines()
    return [line.rpartition(" ")[0].replace('"', "") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_real_receiver_has_the_page_of_the_one_who_pushed(tmp_path: Path, protocol: str) -> None:
    registry = of(*KEPT_WHOLE)
    registry.set_target_info({"team": "a"})
    Counter("jobs", "Jobs.", ["kind"], registry=registry).labels("mail").inc(2.5)
    Enum("phase", "Phase.", states=["idle", "busy"], registry=registry).state("busy")
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        with telemetry(tmp_path, registry, endpoint=endpoint, protocol=protocol) as made:
            sent = made.snapshot()
            assert made.force_flush()
        got = decoded(receiver.series().items())
    for accept in reading.FORMATS:
        assert text(bridged(got), accept, KEPT) == gauges(text(bridged(sent), accept, KEPT))
