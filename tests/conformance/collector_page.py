"""The metrics on our page and on a Collector's, without what differs by design (docs/parity.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

PREFIX = "collector_"
OWN_LABELS = {"experiment", "variant", "pipeline", "job", "instance"}
"""Labels that one of the pages adds."""

Labels = tuple[tuple[str, str], ...]


class FamilyOnPage(NamedTuple):
    """A metric: its type, its help, and its samples."""

    type: str
    help: str
    samples: list[tuple[tuple[str, Labels], float]]


def app_families(page: str) -> dict[str, FamilyOnPage]:
    """Return the metrics of the app on our page, by name."""
    return _families(text_string_to_metric_families(page), {})


def page_families(page: str, service: str) -> dict[str, FamilyOnPage]:
    """Return the metrics of one service on a Collector's page, by the names that they have on ours."""
    return _families(text_string_to_metric_families(page), {"job": service})


def _families(metrics: Iterable[Metric], wanted: dict[str, str]) -> dict[str, FamilyOnPage]:
    found = {}
    for metric in metrics:
        name = metric.name.removeprefix(PREFIX)
        samples = _samples(metric, wanted)
        if samples and not name.startswith(("dualmetrics_", "target")):
            found[name] = FamilyOnPage(metric.type, metric.documentation, samples)
    return found


def _samples(metric: Metric, wanted: dict[str, str]) -> list[tuple[tuple[str, Labels], float]]:
    return sorted(
        ((sample.name.removeprefix(PREFIX), _labels(sample.labels)), sample.value)
        for sample in metric.samples
        if sample.labels.items() >= wanted.items()
    )


def _labels(labels: dict[str, str]) -> Labels:
    """The labels that both pages have. An empty label is the same as none."""
    return tuple(sorted((key, value) for key, value in labels.items() if value and key not in OWN_LABELS))
