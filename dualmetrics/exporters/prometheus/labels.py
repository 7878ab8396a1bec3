"""The labels of a series: of its attributes, its scope, and those that every series of the page carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dualmetrics.exporters.prometheus.names import label_name, label_value
from dualmetrics.snapshot import Attributes, Descriptor, Kind, Scope

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Labels:
    """How a page labels its series.

    ``scope_labels`` is DUALMETRICS_SCOPE_LABELS: on ``all`` metrics, on ``none``, or on all but those of the scope
    ``own_scope`` (``own``). Constant labels win over an attribute of the same name.
    """

    def __init__(self, const_labels: Mapping[str, str], scope_labels: str, own_scope: str) -> None:
        self._const = dict(const_labels)
        self._scope_labels = scope_labels
        self._own_scope = own_scope

    def of(self, descriptor: Descriptor, attributes: Attributes) -> str:
        """The series' labels as they stand between the braces; empty if there are none."""
        found = joined(attributes)
        if descriptor.kind is Kind.HISTOGRAM and "le" in found:
            found["exported_le"] = found.pop("le")  # `le` is the bucket's; as Prometheus renames at a scrape
        return formatted({**found, **self._of_scope(descriptor.scope), **self._const})

    def of_target(self, resource: Attributes) -> str:
        """The labels of ``target_info``: the resource's attributes."""
        return formatted({**joined(resource), **self._const})

    def _of_scope(self, scope: Scope) -> dict[str, str]:
        wanted = self._scope_labels == "all" or (self._scope_labels == "own" and scope.name != self._own_scope)
        if not wanted:
            return {}
        given = joined(scope.attributes)
        named = {"name": scope.name, "version": scope.version, "schema_url": scope.schema_url}
        named = {key: value for key, value in named.items() if value}
        return {f"otel_scope_{key}": value for key, value in {**given, **named}.items()}


def joined(attributes: Attributes) -> dict[str, str]:
    """Attributes as labels; where two names become one, the values joined by ``;`` in the order of the names."""
    found: dict[str, str] = {}
    for key, value in attributes:
        name, text = label_name(key), label_value(value)
        found[name] = f"{found[name]};{text}" if name in found else text
    return found


def formatted(labels: Mapping[str, str]) -> str:
    """``a="b",c="d"`` with values escaped."""
    return ",".join(f'{name}="{escaped(value)}"' for name, value in sorted(labels.items()))


def escaped(value: str) -> str:
    """A label's value between quotes. What is no valid Unicode is replaced, for the page must be UTF-8."""
    return value.translate(_ESCAPES).encode("utf-8", "replace").decode()


def braced(*parts: str) -> str:
    """Label texts in braces, or nothing if all are empty."""
    text = ",".join(part for part in parts if part)
    return f"{{{text}}}" if text else ""


def sample_names(name: str, kind: Kind) -> Iterable[str]:
    """All names that a metric takes on a page, in any format."""
    if kind is Kind.HISTOGRAM:
        return name, f"{name}_bucket", f"{name}_sum", f"{name}_count"
    if kind is Kind.COUNTER:
        return name, name.removesuffix("_total")
    return (name,)
