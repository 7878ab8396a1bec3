"""Resolves name conflicts between our own metrics and those of Prometheus registries."""

from __future__ import annotations

from collections.abc import Collection

from dualmetrics.exporters.prometheus.families import PageFamily, Report, name_and_type
from dualmetrics.exporters.prometheus.formats.text import Text
from dualmetrics.exporters.prometheus.naming.translation import STRATEGIES
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Family


class OwnNamesWin:
    """Removes registry metrics whose names on the page are used by our own metrics, and reports them.

    It is applied to the snapshot, so that the page and the push leave out the same metrics.
    """

    def __init__(self, strategy: str, namespace: str, report: Report) -> None:
        self._names = STRATEGIES[strategy]
        self._namespace = namespace
        self._report = report

    def __call__(self, families: tuple[Family, ...]) -> tuple[Family, ...]:
        """The families without the conflicting ones."""
        if not any(family.descriptor.prometheus_type for family in families):
            return families
        own = (family.descriptor for family in families if not family.descriptor.prometheus_type)
        own_names = {name for descriptor in own for name in self._claims(descriptor)}
        return tuple(family for family in families if self._is_kept(family.descriptor, own_names))

    def _is_kept(self, descriptor: Descriptor, own_names: Collection[str]) -> bool:
        is_registry = bool(descriptor.prometheus_type)
        if not is_registry or not any(name in own_names for name in self._claims(descriptor)):
            return True
        self._report(f"metric {descriptor.name} of a Prometheus registry: dualmetrics has one of this name")
        return False

    def _claims(self, descriptor: Descriptor) -> Collection[str]:
        name, type_ = name_and_type(descriptor, self._names, self._namespace)
        return Text().claims(PageFamily(name, type_, "", "", []))
