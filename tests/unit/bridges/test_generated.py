"""Our page shows whatever a registry holds as prometheus_client's own page does."""

from __future__ import annotations

import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Enum, Gauge, Histogram, Info, Summary
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.unit.bridges.bridged import expected_samples, registry_of, shown_samples, telemetry
from tests.unit.exporters.prometheus import reading

NAMES = st.sampled_from(["a", "a_b", "A__c", "_q", "z9", "http_requests", "le_", "total", "b_bytes"])
VALUES = st.floats(0, 1e9)
LABELS = st.lists(st.sampled_from(["l", "m", "N_o", "_p", "worker", "job"]), max_size=2, unique=True)
UNITS = st.sampled_from(["", "seconds", "bytes", "apples"])
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=5)


@st.composite
def registries(
    draw: st.DrawFn,
    names: st.SearchStrategy[str] = NAMES,
    keys: st.SearchStrategy[list[str]] = LABELS,
) -> CollectorRegistry:
    """Registries with up to five metrics of any type that prometheus_client has."""
    registry = CollectorRegistry()
    for name in draw(st.lists(names, max_size=5, unique=True)):
        labels = draw(keys)
        make = draw(st.sampled_from([_counter, _gauge, _histogram, _summary, _info, _enum]))
        try:
            make(draw, name, labels, registry)
        except ValueError:  # the name is taken, or not allowed for that type
            continue
    return registry


def _values(draw: st.DrawFn, labels: list[str]) -> dict[str, str]:
    return {label: draw(TEXTS) for label in labels}


def _counter(draw: st.DrawFn, name: str, labels: list[str], registry: CollectorRegistry) -> None:
    metric = Counter(name, draw(TEXTS), labels, registry=registry, unit=draw(UNITS))
    for _ in range(draw(st.integers(0, 3))):
        (metric.labels(**_values(draw, labels)) if labels else metric).inc(draw(VALUES))


def _gauge(draw: st.DrawFn, name: str, labels: list[str], registry: CollectorRegistry) -> None:
    metric = Gauge(name, draw(TEXTS), labels, registry=registry, unit=draw(UNITS))
    for _ in range(draw(st.integers(0, 3))):
        (metric.labels(**_values(draw, labels)) if labels else metric).set(draw(st.floats()))


def _histogram(draw: st.DrawFn, name: str, labels: list[str], registry: CollectorRegistry) -> None:
    bounds = sorted(draw(st.sets(st.floats(0.001, 1e6), min_size=1, max_size=3)))
    metric = Histogram(name, draw(TEXTS), labels, registry=registry, unit=draw(UNITS), buckets=bounds)
    for _ in range(draw(st.integers(0, 3))):
        (metric.labels(**_values(draw, labels)) if labels else metric).observe(draw(VALUES))


def _summary(draw: st.DrawFn, name: str, labels: list[str], registry: CollectorRegistry) -> None:
    metric = Summary(name, draw(TEXTS), labels, registry=registry, unit=draw(UNITS))
    for _ in range(draw(st.integers(0, 3))):
        (metric.labels(**_values(draw, labels)) if labels else metric).observe(draw(VALUES))


def _info(draw: st.DrawFn, name: str, labels: list[str], registry: CollectorRegistry) -> None:
    Info(name, draw(TEXTS), registry=registry).info(_values(draw, labels))


def _enum(draw: st.DrawFn, name: str, labels: list[str], registry: CollectorRegistry) -> None:
    states = draw(st.lists(TEXTS, min_size=1, max_size=3, unique=True))
    Enum(name, draw(TEXTS), registry=registry, states=states).state(draw(st.sampled_from(states)))


plain_registries = registries(
    st.sampled_from(["a", "a_b", "z9", "http_requests", "b_bytes"]),
    st.lists(st.sampled_from(["l", "m", "N_o", "worker", "job"]), max_size=2, unique=True),
)
"""Registries with names that Prometheus' translator does not change."""


@pytest.mark.parametrize("accept", reading.FORMATS)
@given(registry=registries())
def test_our_page_shows_the_same_as_the_page_of_prometheus_client(
    accept: str, registry: CollectorRegistry
) -> None:
    with (
        tempfile.TemporaryDirectory() as directory,
        telemetry(directory, registry, metrics_exporter="prometheus") as recording,
    ):
        assert shown_samples(recording, accept) == expected_samples(registry, accept)


@pytest.mark.parametrize("accept", reading.FORMATS)
@given(registry=registries())
def test_a_page_that_is_parsed_and_imported_again_gives_the_same_page(
    accept: str, registry: CollectorRegistry
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        with telemetry(f"{directory}/1", registry, metrics_exporter="prometheus") as first:
            content_type, body = first.render(accept)
            before = shown_samples(first, accept)
        read = read_openmetrics if "openmetrics" in content_type else read_text
        with telemetry(
            f"{directory}/2", registry_of(*read(body.decode())), metrics_exporter="prometheus"
        ) as second:
            after = shown_samples(second, accept)
    assert {key: value for key, value in after.items() if key in before} == before
