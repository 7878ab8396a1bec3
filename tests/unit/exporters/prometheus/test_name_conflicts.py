"""Metrics that have the same name on the page."""

from __future__ import annotations

import pytest

from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters.prometheus.reading import FORMATS, OPENMETRICS, Sample, body, named, samples

OWN, SHOP, BANK = (
    InstrumentationScope("dualmetrics"),
    InstrumentationScope("shop"),
    InstrumentationScope("bank"),
)


def family(
    scope: InstrumentationScope,
    name: str,
    kind: Kind,
    *cells: float,
    attributes: Attributes = (),
    **more: object,
) -> Family:
    descriptor = Descriptor(scope, name, kind, **more)  # type: ignore[arg-type]  # whatever a test needs
    return Family(descriptor, (Point(attributes, 1, cells),))


def render(
    *families: Family, accept: str = "text/plain", scope_labels: str = "own"
) -> tuple[str, dict[Sample, str], list[str]]:
    reports: list[str] = []
    exporter = PrometheusExporter(scope_labels=scope_labels, on_conflict=reports.append)
    page = exporter.render(Snapshot(1, (("service.name", "shop"),), families), negotiate(accept))
    shown = {key: value for key, value in samples(page).items() if key[0] != "target_info"}
    return body(page), shown, reports


@pytest.mark.parametrize("accept", FORMATS)
def test_metrics_with_the_same_name_and_type_share_one_header(accept: str) -> None:
    text, shown, reports = render(
        family(SHOP, "jobs.done", Kind.COUNTER, 1, description="first"),
        family(OWN, "other", Kind.GAUGE, 1, 1),
        family(BANK, "jobs_done", Kind.COUNTER, 2, description="second"),
        accept=accept,
    )
    assert shown[named("jobs_done_total", {"otel_scope_name": "shop"})] == "1.0"
    assert shown[named("jobs_done_total", {"otel_scope_name": "bank"})] == "2.0"
    assert text.count("# TYPE jobs_done") == 1
    assert "first" in text
    assert "second" not in text
    assert not reports


@pytest.mark.parametrize("accept", FORMATS)
def test_of_metrics_with_different_types_the_first_is_kept_and_the_other_reported(accept: str) -> None:
    _, shown, reports = render(
        family(OWN, "x.total", Kind.GAUGE, 7, 1), family(SHOP, "x", Kind.COUNTER, 1), accept=accept
    )
    assert shown == {named("x_total", {}): "7.0"}
    assert reports == ["metric x of scope shop on the Prometheus page: x_total is taken by the gauge x_total"]


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("name", ["target.info", "target_info"])
def test_the_name_target_info_is_reserved(accept: str, name: str) -> None:
    _, shown, [report] = render(family(OWN, name, Kind.GAUGE, 7, 1), accept=accept)
    assert not shown
    assert "target_info is taken by the info target_info" in report


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("sample", ["a.bucket", "a.sum", "a.count", "a"])
def test_the_sample_names_of_a_histogram_cannot_be_other_metrics(accept: str, sample: str) -> None:
    _, shown, reports = render(
        family(OWN, sample, Kind.GAUGE, 7, 1), family(OWN, "a", Kind.HISTOGRAM, 1, 2), accept=accept
    )
    assert list(shown.values()) == ["7.0"]
    assert len(reports) == 1


def test_a_name_that_only_openmetrics_reserves_is_allowed_in_text() -> None:
    both = family(OWN, "a", Kind.COUNTER, 1), family(OWN, "a", Kind.GAUGE, 2, 1)
    assert len(render(*both)[1]) == 2
    _, shown, reports = render(*both, accept=OPENMETRICS)
    assert shown == {named("a_total", {}): "1.0"}
    assert len(reports) == 1


@pytest.mark.parametrize("accept", FORMATS)
def test_series_with_the_same_labels_are_added(accept: str) -> None:
    attributes: list[Attributes] = [(("a", 1),), (("a", "1"),), (("a", 1.0), ("b", ""))]
    points = tuple(Point(one, 1, (1.0, 2.0, 0.5)) for one in attributes)
    histogram = Family(Descriptor(OWN, "h", Kind.HISTOGRAM, bounds=(5.0,)), points)
    counters = [family(scope, "c", Kind.COUNTER, 2) for scope in (SHOP, BANK)]
    _, shown, reports = render(histogram, *counters, accept=accept, scope_labels="none")
    assert shown == {
        named("h_bucket", {"a": "1", "le": "5"}, bucket=True): "3.0",
        named("h_bucket", {"a": "1", "le": "+Inf"}, bucket=True): "9.0",
        named("h_sum", {"a": "1"}): "1.5",
        named("h_count", {"a": "1"}): "9.0",
        named("c_total", {}): "4.0",
    }
    assert not reports


def test_of_gauges_with_the_same_labels_the_latest_is_shown() -> None:
    gauges = [
        family(InstrumentationScope(name), "g", Kind.GAUGE, value, time)
        for name, value, time in (("a", 1, 10), ("b", 2, 30), ("c", 3, 20))
    ]
    up_down = family(InstrumentationScope("d"), "g", Kind.UP_DOWN_COUNTER, 4)
    assert render(up_down, *gauges, scope_labels="none")[1] == {named("g", {}): "2.0"}


@pytest.mark.parametrize("accept", FORMATS)
def test_histograms_with_different_buckets_cannot_be_added(accept: str) -> None:
    one = family(SHOP, "h", Kind.HISTOGRAM, 1, 0, 1, bounds=(5.0,))
    other = family(BANK, "h", Kind.HISTOGRAM, 1, 0, 1, bounds=(6.0,))
    _, shown, reports = render(one, other, accept=accept)
    assert len(shown) == 8
    assert not reports
    _, shown, reports = render(one, other, accept=accept, scope_labels="none")
    assert named("h_bucket", {"le": "5"}, bucket=True) in shown
    assert len(shown) == 4
    assert reports == ["a second h{} with other buckets"]


@pytest.mark.parametrize("accept", FORMATS)
@pytest.mark.parametrize("value", [-1.0, float("nan")])
def test_a_negative_counter_is_reported_and_the_others_are_kept(accept: str, value: float) -> None:
    points = Point((("k", "bad"),), 1, (value,)), Point((("k", "good"),), 1, (1.0,))
    _, shown, [report] = render(Family(Descriptor(OWN, "c", Kind.COUNTER), points), accept=accept)
    assert shown == {named("c_total", {"k": "good"}): "1.0"}
    assert "cannot be negative or NaN" in report


def test_a_metric_without_a_name_is_reported() -> None:
    _, shown, [report] = render(family(OWN, "@@", Kind.GAUGE, 1, 1))
    assert not shown
    assert "no letter or digit" in report


def test_an_attribute_named_le_does_not_conflict_with_the_bounds() -> None:
    text, *_ = render(family(OWN, "h", Kind.HISTOGRAM, 1, 1, attributes=(("le", "x"),)))
    assert 'h_bucket{exported_le="x",le="+Inf"} 1' in text
