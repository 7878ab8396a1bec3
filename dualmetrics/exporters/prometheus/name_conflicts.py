"""Names that our metrics and those of a Prometheus registry both have: ours stay, on both ways."""

from __future__ import annotations

from collections.abc import Collection

from dualmetrics.exporters.prometheus.families import PageFamily, Report, named
from dualmetrics.exporters.prometheus.formats.text import Text
from dualmetrics.exporters.prometheus.naming.translation import STRATEGIES
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Family


class OwnNamesWin:
    """Leaves out the metrics of registries whose names on the page are taken, and tells of them."""

    def __init__(self, strategy: str, namespace: str, report: Report) -> None:
        self._names = STRATEGIES[strategy]
        self._namespace = namespace
        self._report = report

    def __call__(self, families: tuple[Family, ...]) -> tuple[Family, ...]:
        """The families that stay."""
        if not any(family.descriptor.prometheus_type for family in families):
            return families
        own = (family.descriptor for family in families if not family.descriptor.prometheus_type)
        taken = {name for descriptor in own for name in self._claims(descriptor)}
        return tuple(family for family in families if self._stays(family.descriptor, taken))

    def _stays(self, descriptor: Descriptor, taken: Collection[str]) -> bool:
        if not descriptor.prometheus_type or not any(name in taken for name in self._claims(descriptor)):
            return True
        self._report(f"metric {descriptor.name} of a Prometheus registry: dualmetrics has one of this name")
        return False

    def _claims(self, descriptor: Descriptor) -> Collection[str]:
        name, type_ = named(descriptor, self._names, self._namespace)
        return Text().claims(PageFamily(name, type_, "", "", []))
