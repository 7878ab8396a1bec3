"""A page that is imported, pushed and shown again is the same, as far as OpenTelemetry's rules allow."""

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
from dualmetrics.exporters.prometheus.naming.translation import UNDERSCORES, UTF8_NAMES
from dualmetrics.model.snapshot import Snapshot
from tests.unit.bridges import renamed
from tests.unit.bridges.bridged import (
    make_metric,
    registry_of,
    registry_snapshot,
    telemetry,
    without_own_metrics,
)
from tests.unit.bridges.decoded import decode, through_otlp
from tests.unit.bridges.test_generated import plain_registries, registries
from tests.unit.exporters.prometheus import reading


def sorted_page(snapshot: Snapshot, accept: str, strategy: str) -> str:
    """The page with its metrics in alphabetical order, since OTLP does not keep their order."""
    families = tuple(sorted(snapshot.families, key=lambda family: family.descriptor.name))
    exporter = PrometheusExporter(translation_strategy=strategy, created=True)
    return reading.body(exporter.render(Snapshot(0, snapshot.resource, families), negotiate(accept)))


def reread(registry: object, accept: str) -> Snapshot:
    """The snapshot of a registry that is parsed from the page of ``registry``."""
    read = read_openmetrics if "openmetrics" in accept else read_text
    return registry_snapshot(
        registry_of(*read(sorted_page(registry_snapshot(registry), accept, UNDERSCORES)))
    )


def with_otlp_types(page: str) -> str:
    """The page with gauges in place of the types that OTLP does not have."""
    page = re.sub(r"^(# TYPE .*) (?:untyped|unknown|stateset)$", r"\1 gauge", page, flags=re.MULTILINE)
    return re.sub(
        r"^# TYPE (?!target )(.*) info\n# HELP \1 ",
        r"# TYPE \1_info gauge\n# HELP \1_info ",
        page,
        flags=re.MULTILINE,
    )


def assert_unchanged_by_otlp(snapshot: Snapshot, accept: str, strategy: str) -> None:
    page = sorted_page(snapshot, accept, strategy)
    assert sorted_page(through_otlp(snapshot), accept, strategy) == with_otlp_types(page)


@pytest.mark.parametrize("accept", reading.FORMATS)
@given(registry=registries())
def test_a_page_is_the_same_after_otlp(accept: str, registry: CollectorRegistry) -> None:
    assert_unchanged_by_otlp(reread(registry, accept), accept, UTF8_NAMES)


@pytest.mark.parametrize("accept", reading.FORMATS)
@given(registry=plain_registries)
def test_a_page_with_translated_plain_names_is_the_same_after_otlp(
    accept: str, registry: CollectorRegistry
) -> None:
    assert_unchanged_by_otlp(reread(registry, accept), accept, UNDERSCORES)


KEPT_WHOLE = [
    make_metric("summary", "s", ("", {"quantile": "0.5"}, math.nan), ("_sum", {}, 2.5), ("_count", {}, 3)),
    make_metric("histogram", "h", ("_bucket", {"le": "-1"}, 2), ("_bucket", {"le": "+Inf"}, 3)),
    make_metric("histogram", "i", ("_bucket", {"le": "+Inf"}, 3), ("_sum", {}, math.inf), ("_count", {}, 3)),
    make_metric("gauge", "g", ("", {"a": "x"}, math.nan), ("", {"a": 'q"\n\\'}, -0.0), ("", {}, 1e300)),
    make_metric(
        "gauge", "f", ("", {"otel_scope_name": "lib", "otel_scope_version": "2", "otel_scope_k": "v"}, 1)
    ),
    make_metric("counter", "c", ("_total", {"a": "b"}, 1e18), ("_created", {"a": "b"}, 12.25)),
]
"""Metrics that only custom collectors can return."""


@pytest.mark.parametrize("strategy", [UNDERSCORES, UTF8_NAMES])
@pytest.mark.parametrize("accept", reading.FORMATS)
def test_metrics_of_custom_collectors_are_the_same_after_otlp(accept: str, strategy: str) -> None:
    snapshot = registry_snapshot(registry_of(*KEPT_WHOLE))
    assert {family.descriptor.name for family in snapshot.families} == {*"shigf", "c_total"}
    assert_unchanged_by_otlp(snapshot, accept, strategy)
    assert ('c_created{a="b"} 12.25' in sorted_page(snapshot, accept, strategy)) == (
        accept == reading.OPENMETRICS
    )


@pytest.mark.parametrize("row", renamed.TABLE, ids=lambda row: row.page)
def test_the_names_that_the_translator_of_prometheus_changes(row: renamed.Renamed) -> None:
    snapshot = registry_snapshot(registry_of(row.metric))
    assert shown_series(snapshot) == [row.page]
    assert shown_series(through_otlp(snapshot)) == [row.prometheus]
    for accept in reading.FORMATS:
        assert_unchanged_by_otlp(snapshot, accept, UTF8_NAMES)


def test_gauge_histograms_are_lost() -> None:
    queue = make_metric("gaugehistogram", "queue", ("_bucket", {"le": "+Inf"}, 3), ("_gcount", {}, 3))
    snapshot = registry_snapshot(registry_of(queue))
    assert shown_series(snapshot) == ["queue_bucket{le=+Inf}", "queue_gcount"]
    assert shown_series(through_otlp(snapshot)) == []


def shown_series(snapshot: Snapshot) -> list[str]:
    """The names and labels on the page."""
    lines = sorted_page(snapshot, "text/plain", UNDERSCORES).splitlines()
    return [line.rpartition(" ")[0].replace('"', "") for line in lines if not line.startswith("#")]


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_a_real_receiver_can_show_the_page_of_the_sender(tmp_path: Path, protocol: str) -> None:
    registry = registry_of(*KEPT_WHOLE)
    registry.set_target_info({"team": "a"})
    Counter("jobs", "Jobs.", ["kind"], registry=registry).labels("mail").inc(2.5)
    Enum("phase", "Phase.", states=["idle", "busy"], registry=registry).state("busy")
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
        with telemetry(tmp_path, registry, endpoint=endpoint, protocol=protocol) as recording:
            sent = recording.snapshot()
            assert recording.force_flush()
        received = decode(receiver.series().items())
    for accept in reading.FORMATS:
        assert sorted_page(without_own_metrics(received), accept, UTF8_NAMES) == with_otlp_types(
            sorted_page(without_own_metrics(sent), accept, UTF8_NAMES)
        )
