"""The labels of series and exemplars."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from dualmetrics.exporters.prometheus.naming.escaping import escape_text, is_plain, quote_label_name
from dualmetrics.exporters.prometheus.naming.metric_names import label_name, legal_name
from dualmetrics.exporters.prometheus.naming.translation import STRATEGIES, UNDERSCORES, Translation
from dualmetrics.exporters.prometheus.naming.values import label_value
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import PROMETHEUS_SCOPE, Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Exemplar

SCOPE_LABELS = ("own", "all", "none")

TARGET_INFO = Descriptor(InstrumentationScope(""), "target.info", Kind.UP_DOWN_COUNTER, "", "Target metadata")
"""The resource as a metric. Its labels are the resource's attributes, and no others are allowed
(OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md``, *Resource Attributes*)."""

MAX_EXEMPLAR_LENGTH = 128
"""The limit for the total length of names and values (OpenMetrics 1.0, *Exemplars*)."""

_SCOPE_IDENTITY = frozenset(("name", "version", "schema_url"))


class LabelBuilder:
    """Builds the labels of a series from its attributes, its scope, and the constant labels.

    ``scope_labels`` tells which metrics have ``otel_scope_*`` labels: ``own`` means those of all scopes but
    ``own_scope``; ``all`` and ``none`` mean what they say. Raises ValueError for any other value.
    """

    def __init__(
        self,
        const_labels: Mapping[str, str],
        scope_labels: str,
        own_scope: str,
        names: Translation = STRATEGIES[UNDERSCORES],
    ) -> None:
        if scope_labels not in SCOPE_LABELS:
            raise ValueError(f"scope_labels={scope_labels!r}: allowed is one of {', '.join(SCOPE_LABELS)}")
        self._names = names
        self._const_labels = labels_from_attributes(tuple(const_labels.items()), names.label)
        self._scope_labels = scope_labels
        self._own_scope = own_scope

    def __call__(self, descriptor: Descriptor, attributes: Attributes) -> dict[str, str]:
        """The labels, sorted by name. An attribute overrides a constant label, and the scope overrides both.

        For Prometheus, an empty label is the same as none. It is omitted: else a series might appear twice.
        """
        is_registry = bool(descriptor.prometheus_type)
        labels = (
            _registry_labels(attributes)
            if is_registry
            else labels_from_attributes(attributes, self._names.label)
        )
        if descriptor is not TARGET_INFO:
            labels = {**self._const_labels, **labels, **self._labels_of_scope(descriptor.scope)}
        if descriptor.kind is Kind.HISTOGRAM and "le" in labels:
            # Buckets use `le`. Prometheus renames labels that are taken with this prefix.
            labels[self._names.verbatim("exported_le")] = labels.pop("le")
        return {name: labels[name] for name in sorted(labels) if labels[name]}

    def _labels_of_scope(self, scope: InstrumentationScope) -> dict[str, str]:
        if self._scope_labels == "none":
            return {}
        if self._scope_labels == "own" and scope.name in (self._own_scope, PROMETHEUS_SCOPE.name):
            return {}
        attributes = tuple(
            (f"otel_scope_{key}", value) for key, value in scope.attributes if key not in _SCOPE_IDENTITY
        )
        return {
            **labels_from_attributes(attributes, self._names.label),
            self._names.verbatim("otel_scope_name"): scope.name,
            self._names.verbatim("otel_scope_version"): scope.version,
            self._names.verbatim("otel_scope_schema_url"): scope.schema_url,
        }


def _registry_labels(attributes: Attributes) -> dict[str, str]:
    """The labels of a metric from a Prometheus registry, which were labels before."""
    return {legal_name(key, colon=""): str(value) for key, value in attributes}


def labels_from_attributes(
    attributes: Attributes | tuple[tuple[str, str], ...], name_of: Callable[[str], str] = label_name
) -> dict[str, str]:
    """The labels for attributes. If several keys have one label name, their values are joined with ``;``.

    The values are joined in the order of the keys.
    """
    labels: dict[str, str] = {}
    for key, value in sorted(attributes, key=itemgetter(0)):
        name, text = name_of(key), label_value(value)
        labels[name] = f"{labels[name]};{text}" if name in labels else text
    return labels


def label_text(labels: Mapping[str, str]) -> str:
    """The labels as they appear between the braces of a sample's line."""
    return ",".join(f'{quote_label_name(name)}="{escape_text(value)}"' for name, value in labels.items())


def exemplar_labels(exemplar: Exemplar) -> dict[str, str]:
    """The labels of an exemplar: the ids of its span, then the attributes that fit.

    OpenTelemetry's ``compatibility/prometheus_and_openmetrics.md`` omits the ones that do not fit.
    """
    labels: dict[str, str] = {}
    if exemplar.trace_id:
        labels["trace_id"] = f"{exemplar.trace_id:032x}"
    if exemplar.span_id:
        labels["span_id"] = f"{exemplar.span_id:016x}"
    if not exemplar.attributes:
        return labels
    remaining = MAX_EXEMPLAR_LENGTH - sum(len(name) + len(value) for name, value in labels.items())
    for name, value in labels_from_attributes(exemplar.attributes, _exemplar_label_name).items():
        length = len(name) + len(value)
        if name not in labels and length <= remaining:
            labels[name] = value
            remaining -= length
    return labels


def _exemplar_label_name(key: str) -> str:
    """The name of a label. The exemplars of a Prometheus client library have labels already."""
    is_label = is_plain(key) and ":" not in key and not key.startswith("__")
    return key if is_label else label_name(key)
