"""The labels of an exemplar: the ids of its span, then what else was said of it.

OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md`` has those left out that do not fit.
"""

from __future__ import annotations

from dualmetrics.exporters.prometheus.naming.escaping import plain
from dualmetrics.exporters.prometheus.naming.labels import translated
from dualmetrics.exporters.prometheus.naming.metric_names import label_name
from dualmetrics.model.snapshot import Exemplar

LIMIT = 128
"""Characters that all names and values may have together (OpenMetrics 1.0, *Exemplars*)."""


def exemplar_labels(exemplar: Exemplar) -> dict[str, str]:
    """The ids that there are, and those of the other labels that fit."""
    labels: dict[str, str] = {}
    if exemplar.trace_id:
        labels["trace_id"] = f"{exemplar.trace_id:032x}"
    if exemplar.span_id:
        labels["span_id"] = f"{exemplar.span_id:016x}"
    if not exemplar.attributes:
        return labels
    room = LIMIT - sum(len(name) + len(value) for name, value in labels.items())
    for name, value in translated(exemplar.attributes, _name).items():
        if name not in labels and len(name) + len(value) <= room:
            labels[name] = value
            room -= len(name) + len(value)
    return labels


def _name(key: str) -> str:
    """Those of a Prometheus client's exemplars are labels already."""
    return key if plain(key) and ":" not in key and not key.startswith("__") else label_name(key)
