"""Which labels a series has, and their text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter

from dualmetrics.exporters.prometheus.naming import quoting
from dualmetrics.exporters.prometheus.naming.metric_names import label_name, legal_name
from dualmetrics.exporters.prometheus.naming.translation import STRATEGIES, UNDERSCORES, Translation
from dualmetrics.exporters.prometheus.naming.values import label_value
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import PROMETHEUS_SCOPE, Descriptor, Kind, Scope

SCOPE_LABELS = ("own", "all", "none")

TARGET = Descriptor(Scope(""), "target.info", Kind.UP_DOWN_COUNTER, "", "Target metadata")
"""The resource as a metric: its attributes are the labels, and nothing else may be (OpenTelemetry's
``compatibility/prometheus_and_openmetrics.md``, *Resource Attributes*)."""

_SCOPE_IDENTITY = frozenset(("name", "version", "schema_url"))


class Labels:
    """Gives the labels of a series: those of its attributes, of its scope, and the constant ones.

    ``scope_labels`` says whose metrics carry ``otel_scope_*``: ``own`` those of all scopes but ``own_scope``,
    ``all``, or ``none``. Raises ValueError for anything else.
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
        self._const = translated(tuple(const_labels.items()), names.label)
        self._scope_labels = scope_labels
        self._own_scope = own_scope

    def __call__(self, descriptor: Descriptor, attributes: Attributes) -> dict[str, str]:
        """The labels by name, sorted. An attribute wins over a constant label, the scope over both.

        Prometheus takes an empty label for none; so it is left out, or one series might appear twice.
        """
        name_of = self._names.label
        labels = _kept(attributes) if descriptor.prometheus_type else translated(attributes, name_of)
        if descriptor is not TARGET:
            labels = {**self._const, **labels, **self._scope(descriptor.scope)}
        if descriptor.kind is Kind.HISTOGRAM and "le" in labels:
            # `le` is the bucket's. Prometheus has this prefix for labels that are taken.
            labels[self._names.fixed("exported_le")] = labels.pop("le")
        return {name: labels[name] for name in sorted(labels) if labels[name]}

    def _scope(self, scope: Scope) -> dict[str, str]:
        if self._scope_labels == "none":
            return {}
        if self._scope_labels == "own" and scope.name in (self._own_scope, PROMETHEUS_SCOPE.name):
            return {}
        others = (
            (f"otel_scope_{key}", value) for key, value in scope.attributes if key not in _SCOPE_IDENTITY
        )
        return {
            **translated(tuple(others), self._names.label),
            self._names.fixed("otel_scope_name"): scope.name,
            self._names.fixed("otel_scope_version"): scope.version,
            self._names.fixed("otel_scope_schema_url"): scope.schema_url,
        }


def _kept(attributes: Attributes) -> dict[str, str]:
    """Labels that were labels before."""
    return {legal_name(key, colon=""): str(value) for key, value in attributes}


def translated(
    attributes: Attributes | tuple[tuple[str, str], ...], name_of: Callable[[str], str] = label_name
) -> dict[str, str]:
    """Labels from attributes. Where keys become one label, ``;`` joins the values in the keys' order."""
    labels: dict[str, str] = {}
    for key, value in sorted(attributes, key=itemgetter(0)):
        name, text = name_of(key), label_value(value)
        labels[name] = f"{labels[name]};{text}" if name in labels else text
    return labels


def label_text(labels: Mapping[str, str]) -> str:
    """The labels as they stand between the braces of a sample's line."""
    return ",".join(f'{quoting.label(name)}="{quoting.escaped(value)}"' for name, value in labels.items())
