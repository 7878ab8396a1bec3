"""The floors of pages and pushes give what they stand for."""

from __future__ import annotations

import json
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import series
from benchmarks.floors import BOUNDS
from benchmarks.page_floors import WIDTH, CachedPageFloor, PackingFloor, PageFloor, WorkersFloor

ROW = [1.0] * (len(BOUNDS) + 1) + [2.5]


def samples(page: bytes) -> dict[tuple[str, str, str | None], float]:
    """The values of a page by name, route and bound."""
    return {
        (sample.name, sample.labels["route"], sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_the_page_of_the_floor_is_a_page() -> None:
    found = samples(PageFloor("took_seconds", ['route="/a"', 'route="/b"']).render([ROW, ROW]))
    assert found["took_seconds_bucket", "/b", "5.0"] == 1
    assert found["took_seconds_bucket", "/b", "+Inf"] == found["took_seconds_count", "/b", None] == 15
    assert found["took_seconds_sum", "/a", None] == 2.5


def test_the_cached_page_shows_what_has_changed() -> None:
    cells, rows, touch = series.floor_cells(3)
    cached, plain = (kind(series.NAME, series.texts(3)) for kind in (CachedPageFloor, PageFloor))
    assert isinstance(cached, CachedPageFloor)
    assert isinstance(plain, PageFloor)
    for share in (1, 0.3):
        touch(share)
        assert cached.render(cells) == plain.render(rows)


def test_the_page_over_workers_is_their_sum(tmp_path: Path) -> None:
    cells, _, touch = series.floor_cells(1)
    touch(1)
    for name in ("1", "2", "3"):
        (tmp_path / f"{name}.labels").write_text(json.dumps({"route": "/a"}))
        (tmp_path / f"{name}.cells").write_bytes(cells)
    found = samples(WorkersFloor("took", tmp_path).render())
    assert found["took_count", "/a", None] == 3


def test_the_packed_push_is_otlp() -> None:
    sets = series.label_sets(2)
    packed = PackingFloor("took", sets, start=7).encode([ROW, [0.0] * WIDTH], now=9)
    (metric,) = ExportMetricsServiceRequest.FromString(packed).resource_metrics[0].scope_metrics[0].metrics
    first, second = metric.histogram.data_points
    assert (metric.name, metric.histogram.aggregation_temporality) == ("took", 2)
    assert {each.key: each.value.string_value for each in first.attributes} == sets[0]
    assert (first.start_time_unix_nano, first.time_unix_nano, first.count, first.sum) == (7, 9, 15, 2.5)
    assert (list(first.bucket_counts), list(first.explicit_bounds)) == ([1] * 15, list(BOUNDS))
    assert second.count == 0
