"""The names by which a test may ask for a metric."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from dualmetrics import Telemetry
from dualmetrics.exporters.prometheus.families import name_and_type
from dualmetrics.exporters.prometheus.naming.escaping import DEFAULT_SCHEME
from dualmetrics.exporters.prometheus.naming.translation import translation_for
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.testing.page_samples import PageSample

_PARTS = {
    Kind.HISTOGRAM: ("_bucket", "_sum", "_count"),
    Kind.SUMMARY: ("", "_sum", "_count"),
}
"""What the names of samples have after the name of the metric. Other kinds have nothing there."""


class KnownNames:
    """The samples of all metrics of a Telemetry, recorded or not, by the names that a test may use for them.

    Those are the name of the sample on the page and the name of the metric for OTLP. The name of a histogram
    or summary alone stands for its count.
    """

    def __init__(self, telemetry: Telemetry, samples: Iterable[PageSample]) -> None:
        parts = telemetry._components
        self._translation = translation_for(telemetry.settings.translation_strategy, DEFAULT_SCHEME)
        self._namespace = telemetry.settings.namespace
        self._samples = {sample.name: sample.name for sample in samples}
        self.gauges: set[str] = set()
        """The samples that cannot be added up over series."""
        families = (family.descriptor for family in telemetry.snapshot().families)
        for descriptor in (
            *families,
            *parts.meter_provider.descriptors,
            *telemetry.server_metrics.descriptors(),
        ):
            self._add(descriptor)

    def _add(self, descriptor: Descriptor) -> None:
        name, _ = name_and_type(descriptor, self._translation, self._namespace)
        parts = _PARTS.get(descriptor.kind, ("",))
        self._samples |= {f"{name}{part}": f"{name}{part}" for part in parts}
        alone = f"{name}{parts[-1]}"
        self._samples.setdefault(name, alone)
        self._samples.setdefault(descriptor.name, alone)
        if descriptor.kind is Kind.GAUGE:
            self.gauges.add(name)

    def sample(self, name: str) -> str | None:
        """The name of the sample on the page; None if there is no such metric."""
        return self._samples.get(name)

    def label(self, key: str) -> str:
        """The name of a label on the page, from this name or from the key of the attribute."""
        return key if key.isidentifier() else self._translation.label(key)

    def similar(self, name: str) -> list[str]:
        """The names that are most like this one."""
        return difflib.get_close_matches(name, self._samples, n=3)
