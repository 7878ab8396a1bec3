"""For any snapshot, the parsers of both text formats read from the page what the snapshot contains."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.exporters.prometheus.naming.labels import LabelBuilder, label_text
from dualmetrics.exporters.prometheus.naming.metric_names import metric_name
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters import generated
from tests.unit.exporters.prometheus import reading

LABELS = LabelBuilder({}, "own", "dualmetrics")

every_format = pytest.mark.parametrize("accept", reading.FORMATS)


@every_format
@given(snapshot=generated.snapshots)
def test_the_parser_accepts_the_page_of_any_snapshot(accept: str, snapshot: Snapshot) -> None:
    page = PrometheusExporter(namespace="ns", const_labels={"le": "1", "env": "é"}).render(
        snapshot, negotiate(accept)
    )
    assert len(reading.samples(page)) >= bool(snapshot.resource)


@every_format
@given(snapshot=generated.snapshots)
def test_the_parser_reads_the_names_labels_and_values_of_the_snapshot(
    accept: str, snapshot: Snapshot
) -> None:
    reports: list[str] = []
    page = PrometheusExporter(on_conflict=reports.append).render(snapshot, negotiate(accept))
    shown = reading.samples(page)
    expected = _expected(snapshot, "openmetrics" in accept)
    if reports:
        assert shown.keys() <= expected.keys()
    else:
        is_unsent = _unsent_in_openmetrics if "openmetrics" in accept else _unsent_in_text
        unsent = {key for key in expected if is_unsent(key, expected, snapshot)}
        assert shown == {key: reading.number(expected[key]) for key in expected.keys() - unsent}


@given(snapshot=generated.snapshots, draw=st.data())
def test_a_page_from_cached_text_equals_a_fresh_one(snapshot: Snapshot, draw: st.DataObject) -> None:
    exporter = PrometheusExporter()
    for _ in range(3):
        for accept in reading.FORMATS:
            fresh = PrometheusExporter().render(snapshot, negotiate(accept))
            assert exporter.render(snapshot, negotiate(accept)) == fresh
        snapshot = draw.draw(generated.successors(snapshot))


@given(attributes=generated.attributes)
def test_label_values_survive_escaping(attributes: Attributes) -> None:
    labels = LABELS(Descriptor(InstrumentationScope("dualmetrics"), "a", Kind.COUNTER), attributes)
    [metric] = text_string_to_metric_families(f"a{{{label_text(labels)}}} 1\n")
    assert metric.samples[0].labels == {name: _sendable(value) for name, value in labels.items()}


@given(description=st.text(st.characters(blacklist_categories=["Cs"]), min_size=1))
def test_descriptions_survive_escaping(description: str) -> None:
    descriptor = Descriptor(InstrumentationScope("dualmetrics"), "a", Kind.COUNTER, "", description)
    snapshot = Snapshot(1, (), (Family(descriptor, (Point((), 1, (1.0,)),)),))
    [metric] = reading.metrics(PrometheusExporter().render(snapshot, negotiate(reading.OPENMETRICS)))
    # Some versions of this parser reduce several spaces before the text to one.
    assert metric.documentation.lstrip(" ") == description.lstrip(" ")


def _expected(snapshot: Snapshot, openmetrics: bool) -> dict[reading.Sample, float]:
    """All possible samples. Those that are reported as omitted are not on the page."""
    samples: dict[reading.Sample, float] = {}
    latest: dict[reading.Sample, float] = {}
    if snapshot.resource:
        samples.update(_one("target_info", _resource(snapshot), 1.0))
    for family in snapshot.families:
        for point in family.points:
            for key, value in _samples(family.descriptor, point, openmetrics):
                time = point.cells[1] if family.descriptor.kind is Kind.GAUGE else 0.0
                if key not in samples or (time and time >= latest[key]):
                    samples[key], latest[key] = value, time
                elif not (time or latest[key]):
                    samples[key] += value
    return samples


def _samples(
    descriptor: Descriptor, point: Point, openmetrics: bool
) -> Iterator[tuple[reading.Sample, float]]:
    name = metric_name(descriptor.name, descriptor.unit, descriptor.kind)
    labels = {key: _sendable(text) for key, text in LABELS(descriptor, point.attributes).items()}
    if descriptor.kind is Kind.HISTOGRAM:
        counts = list(accumulate(point.cells[:-1]))
        for bound, count in zip((*descriptor.bounds, float("inf")), counts, strict=True):
            yield reading.named(f"{name}_bucket", {**labels, "le": str(bound + 0.0)}, bucket=True), count
        yield reading.named(f"{name}_sum", labels), point.cells[-1]
        yield reading.named(f"{name}_count", labels), counts[-1]
    elif descriptor.kind is not Kind.GAUGE or point.cells[1]:
        if name == "total" and descriptor.kind is Kind.COUNTER and not openmetrics:
            name = "total_total"  # the name that this parser uses
        yield reading.named(name, labels), point.cells[0]


def _unsent_in_text(key: reading.Sample, samples: dict[reading.Sample, float], snapshot: Snapshot) -> bool:
    """Whether it is the sum of a histogram and NaN, which is not on the page."""
    name = key[0]
    is_sum = name.endswith("_sum") and name.removesuffix("_sum") in _histograms(snapshot)
    return is_sum and math.isnan(samples[key])


def _unsent_in_openmetrics(
    key: reading.Sample, samples: dict[reading.Sample, float], snapshot: Snapshot
) -> bool:
    """Whether OpenMetrics forbids the sample.

    A sum must not be negative or NaN, or have negative bounds beside it. A count requires a sum.
    """
    name, labels = key
    stem = re.sub("_(sum|count)$", "", name)
    if not name.endswith(("_sum", "_count")) or stem not in _histograms(snapshot):
        return False
    buckets = (other for other in samples if other[0] == f"{stem}_bucket")
    bounds = [float(dict(other)["le"]) for _, other in buckets if set(labels) < set(other)]
    return not samples[f"{stem}_sum", labels] >= 0 or any(bound < 0 for bound in bounds)


def _histograms(snapshot: Snapshot) -> set[str]:
    descriptors = (family.descriptor for family in snapshot.families if family.points)
    return {metric_name(one.name, one.unit, one.kind) for one in descriptors if one.kind is Kind.HISTOGRAM}


def _one(name: str, labels: dict[str, str], value: float) -> dict[reading.Sample, float]:
    return {reading.named(name, {key: _sendable(text) for key, text in labels.items() if text}): value}


def _resource(snapshot: Snapshot) -> dict[str, str]:
    return LABELS(Descriptor(InstrumentationScope("dualmetrics"), "target", Kind.GAUGE), snapshot.resource)


def _sendable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
