"""The floors of pages and pushes produce valid pages and pushes."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import series
from benchmarks.floors import BOUNDS
from benchmarks.page_floors import HISTOGRAM_WIDTH, CachedPageFloor, PackingFloor, PageFloor, WorkersFloor

ROW = [1.0] * (len(BOUNDS) + 1) + [2.5]


def parse_page(page: bytes) -> dict[tuple[str, str, str | None], float]:
    """The values of a page by name, route and bound."""
    return {
        (sample.name, sample.labels["route"], sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_the_page_floor_renders_a_valid_page() -> None:
    samples = parse_page(PageFloor("took_seconds", ['route="/a"', 'route="/b"']).render([ROW, ROW]))
    assert samples["took_seconds_bucket", "/b", "5.0"] == 1
    assert samples["took_seconds_bucket", "/b", "+Inf"] == samples["took_seconds_count", "/b", None] == 15
    assert samples["took_seconds_sum", "/a", None] == 2.5


def test_the_cached_page_floor_renders_what_has_changed() -> None:
    cells, rows, touch = series.floor_cells(3)
    cached = CachedPageFloor(series.NAME, series.label_texts(3))
    plain = PageFloor(series.NAME, series.label_texts(3))
    for share in (1, 0.3):
        touch(share)
        assert cached.render(cells) == plain.render(rows)


def test_the_workers_floor_renders_the_sum_of_the_workers(tmp_path: Path) -> None:
    cells, _, touch = series.floor_cells(1)
    touch(1)
    for name in ("1", "2", "3"):
        (tmp_path / f"{name}.labels").write_text(json.dumps({"route": "/a"}))
        (tmp_path / f"{name}.cells").write_bytes(cells)
    samples = parse_page(WorkersFloor("took", tmp_path).render())
    assert samples["took_count", "/a", None] == 3


def test_the_packing_floor_encodes_otlp() -> None:
    sets = series.label_sets(2)
    message = PackingFloor("took", sets, start=7).encode([ROW, [0.0] * HISTOGRAM_WIDTH], now=9)
    (metric,) = ExportMetricsServiceRequest.FromString(message).resource_metrics[0].scope_metrics[0].metrics
    first, second = metric.histogram.data_points
    assert (metric.name, metric.histogram.aggregation_temporality) == ("took", 2)
    assert {attribute.key: attribute.value.string_value for attribute in first.attributes} == sets[0]
    assert (first.start_time_unix_nano, first.time_unix_nano, first.count, first.sum) == (7, 9, 15, 2.5)
    assert (list(first.bucket_counts), list(first.explicit_bounds)) == ([1] * 15, list(BOUNDS))
    assert second.count == 0
