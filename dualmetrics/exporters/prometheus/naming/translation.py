"""How OpenTelemetry's names become names of the page (Prometheus' ``otlp.translation_strategy``).

The default is what Prometheus and the Collector do with a push: ``http.requests`` is ``http_requests_total``.
The other one keeps what Prometheus 3 can store, ``http.requests_total``; other scrapers get it escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from dualmetrics.exporters.prometheus.naming.escaping import DEFAULT, SCHEMES, Escape, escaped_label
from dualmetrics.exporters.prometheus.naming.metric_names import label_name, metric_name, unit_words
from dualmetrics.model.descriptor import Kind


class Translation(NamedTuple):
    """Names of metrics (from name, unit, kind, namespace), and of labels. ``fixed`` are names of our own."""

    metric: Callable[[str, str, Kind, str], str]
    label: Callable[[str], str]
    fixed: Escape

    def escaped(self, escape: Escape) -> Translation:
        """The same, as a scraper wants it."""
        return Translation(
            lambda name, unit, kind, namespace: escape(self.metric(name, unit, kind, namespace)),
            lru_cache(4096)(lambda key: escaped_label(self.label(key), escape)),
            lambda name: escape(self.fixed(name)),
        )


def kept_metric_name(name: str, unit: str, kind: Kind, namespace: str = "") -> str:
    """The name as it is, with the suffixes of unit and kind, each once and at the end."""
    ratio = "ratio" if kind is Kind.GAUGE and unit == "1" else ""
    total = "total" if kind is Kind.COUNTER else ""
    main, per = unit_words(unit)
    whole = f"{namespace}_{name}" if namespace else name
    for suffix in (ratio, total, per):
        if suffix and whole.endswith(suffix) and len(whole) > len(suffix) + 1:
            whole = whole[: -len(suffix) - 1]
    main = "" if whole.endswith(main) else main
    return "_".join(filter(None, (whole, main, per, total, ratio)))


def kept_label_name(key: str) -> str:
    """The key as it is; but two leading underscores are Prometheus' own, and nothing else is no name."""
    return f"key{key or '_'}" if key.startswith("__") or not key.strip("_") else key


UNDERSCORES, KEPT = "underscore_escaping_with_suffixes", "no_utf8_escaping_with_suffixes"

STRATEGIES = {
    UNDERSCORES: Translation(metric_name, label_name, str),
    KEPT: Translation(kept_metric_name, kept_label_name, str),
}
"""By the value of DUALMETRICS_TRANSLATION_STRATEGY; OpenTelemetry's configuration file has the same words."""


def effective(strategy: str, scheme: str) -> str:
    """A scheme that gives the same names: of plain ones, all but ``dots`` make the same."""
    return scheme if strategy != UNDERSCORES or scheme == "dots" else DEFAULT


def translation(strategy: str, scheme: str) -> Translation:
    """The names of a page; translated ones are plain already."""
    names = STRATEGIES[strategy]
    return names if (strategy, scheme) == (UNDERSCORES, DEFAULT) else names.escaped(SCHEMES[scheme])
