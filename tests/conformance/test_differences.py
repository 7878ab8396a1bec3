"""The differences of docs/parity.md still exist in VictoriaMetrics, in Prometheus and in the Collector."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dualmetrics.exporters.otlp.exporter import otlp_target
from tests import backends
from tests.collectors import collector, init
from tests.conformance.collector_page import page_families
from tests.conformance.differences import DIFFERENCES, LOST, REFUSED
from tests.conformance.test_translation import snapshot_of, store_both, written
from tests.otlp_prometheus import prometheus_with_otlp
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

RESOURCE = (("service.instance.id", "1"), ("service.name", "shop"))
OF_THE_RESOURCE = {("instance", "1"), ("job", "shop")}


def test_the_documented_differences_of_victoria_metrics_still_exist(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path) as database:
        page, pushed = store_both(database, snapshot_of([row.metric for row in DIFFERENCES], 0), 0)
    assert set(map(written, page)) == {row.page for row in DIFFERENCES}
    assert set(map(written, pushed)) == {row.victoria_metrics for row in DIFFERENCES}


def test_the_documented_differences_of_prometheus_still_exist(tmp_path: Path) -> None:
    with prometheus_with_otlp(tmp_path) as database:
        for row in DIFFERENCES:
            target = otlp_target(database.otlp, False, "http/protobuf", None)
            assert target.export(snapshot_of([row.metric], 0, RESOURCE)).success == (
                row.prometheus != REFUSED
            )
            target.shutdown()
        stored = database.query('{batch="0"}', time.time() + 1)
    assert {written(labels - OF_THE_RESOURCE) for labels in stored} == {
        row.prometheus for row in DIFFERENCES
    } - {REFUSED}


def test_the_documented_differences_of_the_collector_still_exist(tmp_path: Path) -> None:
    with collector(tmp_path, init(tmp_path)) as running:
        target = otlp_target(running.http, False, "http/protobuf", None)
        assert target.export(snapshot_of([row.metric for row in DIFFERENCES], 0, RESOURCE)).success
        target.shutdown()
        wait_until(lambda: 'batch="0"' in running.page(), 20, "the push", details=running.log.read_text)
        samples = page_families(running.page(), "shop").values()
    found = {
        written(
            frozenset({("__name__", name), *((key, value) for key, value in labels if "otel" not in key)})
        )
        for family in samples
        for (name, labels), _ in family.samples
    }
    assert found == {row.collector for row in DIFFERENCES} - {LOST}
