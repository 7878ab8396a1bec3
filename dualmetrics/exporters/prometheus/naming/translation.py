"""Strategies for translating OpenTelemetry names (Prometheus' setting ``otlp.translation_strategy``).

The default is what Prometheus and the Collector do with a push: ``http.requests`` becomes
``http_requests_total``. The other strategy keeps the characters that Prometheus 3 can store:
``http.requests_total``. Scrapers that do not accept such names get them escaped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from dualmetrics.exporters.prometheus.naming.escaping import (
    DEFAULT_SCHEME,
    ESCAPING_SCHEMES,
    Escape,
    escape_label_name,
)
from dualmetrics.exporters.prometheus.naming.metric_names import (
    label_name,
    metric_name,
    unit_words,
    unreserved_label_name,
)
from dualmetrics.model.descriptor import Kind


class Translation(NamedTuple):
    """Translates names.

    ``metric`` takes name, unit, kind and namespace, ``label`` an attribute's key. ``verbatim`` takes a name
    that already is a Prometheus name, and only escapes it.
    """

    metric: Callable[[str, str, Kind, str], str]
    label: Callable[[str], str]
    verbatim: Escape

    def escaped(self, escape: Escape) -> Translation:
        """The same translation, with the names escaped."""
        return Translation(
            lambda name, unit, kind, namespace: escape(self.metric(name, unit, kind, namespace)),
            lru_cache(4096)(lambda key: escape_label_name(self.label(key), escape)),
            lambda name: escape(self.verbatim(name)),
        )


def utf8_metric_name(name: str, unit: str, kind: Kind, namespace: str = "") -> str:
    """The unchanged name with the suffixes for unit and kind, each once and at the end."""
    ratio = "ratio" if kind is Kind.GAUGE and unit == "1" else ""
    total = "total" if kind is Kind.COUNTER else ""
    main, per = unit_words(unit)
    full_name = f"{namespace}_{name}" if namespace else name
    for suffix in (ratio, total, per):
        if suffix and full_name.endswith(suffix) and len(full_name) > len(suffix) + 1:
            full_name = full_name[: -len(suffix) - 1]
    main = "" if full_name.endswith(main) else main
    return "_".join(filter(None, (full_name, main, per, total, ratio)))


UNDERSCORES, UTF8_NAMES = "underscore_escaping_with_suffixes", "no_utf8_escaping_with_suffixes"

STRATEGIES = {
    UNDERSCORES: Translation(metric_name, label_name, str),
    UTF8_NAMES: Translation(utf8_metric_name, unreserved_label_name, str),
}
"""The strategies by the values of DUALMETRICS_TRANSLATION_STRATEGY, which OpenTelemetry's file configuration
uses as well."""


def effective_scheme(strategy: str, scheme: str) -> str:
    """A scheme with the same result: for plain names, all schemes but ``dots`` are alike."""
    return scheme if strategy != UNDERSCORES or scheme == "dots" else DEFAULT_SCHEME


def translation_for(strategy: str, scheme: str) -> Translation:
    """The translation for a page. Names of the default strategy need no escaping in the default scheme."""
    names = STRATEGIES[strategy]
    if (strategy, scheme) == (UNDERSCORES, DEFAULT_SCHEME):
        return names
    return names.escaped(ESCAPING_SCHEMES[scheme])
