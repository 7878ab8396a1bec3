"""Groups the metrics of a snapshot into the families of a page, each with a unique name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from dualmetrics.exporters.prometheus.naming.labels import TARGET_INFO
from dualmetrics.exporters.prometheus.naming.metric_names import legal_name, unit_name
from dualmetrics.exporters.prometheus.naming.translation import Translation
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot

Report = Callable[[str], None]
"""Is called with what was left out of a page, and why."""

_TYPES = {
    Kind.COUNTER: "counter",
    Kind.UP_DOWN_COUNTER: "gauge",
    Kind.GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
    Kind.SUMMARY: "summary",
}
_PAGE_TYPES = {"gaugehistogram": "gauge"}
"""The types of a Prometheus registry that have another type on the page."""


@dataclass(frozen=True, slots=True)
class PageFamily:
    """Metrics with the same name and type. HELP, TYPE and UNIT are those of the first one.

    ``name`` is the full name, including ``_total`` or ``_info``. ``type`` is one of OpenMetrics' types.
    """

    name: str
    type: str
    unit: str
    help: str
    members: list[Family]

    @property
    def base(self) -> str:
        """The name without the suffix of the type, as OpenMetrics names a family."""
        suffix = {"counter": "_total", "info": "_info"}.get(self.type, "")
        return self.name.removesuffix(suffix)

    @property
    def declared_unit(self) -> str:
        """The unit if the name ends with it, else empty: parsers refuse any other unit."""
        return self.unit if self.unit and self.base.endswith(f"_{self.unit}") else ""


class FamilyBuilder:
    """Builds the families of one page.

    Metrics with the same name and type become one family. A metric is left out and reported if its name
    already means something else on the page (OpenTelemetry's compatibility specification, *Metric Metadata*).
    ``claims`` returns the names that a family uses in the page's format.
    """

    def __init__(
        self,
        names: Translation,
        namespace: str,
        claims: Callable[[PageFamily], Collection[str]],
        report: Report,
    ) -> None:
        self._names = names
        self._namespace = namespace
        self._claims = claims
        self._report = report
        self._families: dict[str, PageFamily] = {}
        self._owners: dict[str, str] = {}

    def build(self, snapshot: Snapshot) -> Iterable[PageFamily]:
        """The families in the order of their first metrics, after ``target_info``."""
        if snapshot.resource:
            self._add_family(_target_family(self._names.verbatim("target_info"), snapshot.resource))
        for family in snapshot.families:
            points = self._valid_points(family)
            if points:
                self._add_metric(Family(family.descriptor, points))
        return self._families.values()

    def _add_metric(self, metric: Family) -> None:
        descriptor = metric.descriptor
        name, type_ = name_and_type(descriptor, self._names, self._namespace)
        existing = self._families.get(name)
        if existing is not None and existing.type == type_:
            existing.members.append(metric)
        elif name:
            unit = unit_name(descriptor.unit, descriptor.kind)
            self._add_family(PageFamily(name, type_, unit, descriptor.description, [metric]))
        else:
            self._report_omission(metric, "its name has no letter or digit")

    def _add_family(self, family: PageFamily) -> None:
        names = self._claims(family)
        for name in names:
            if name in self._owners:
                self._report_omission(family.members[0], f"{name} is taken by the {self._owners[name]}")
                return
        self._families[family.name] = family
        self._owners.update(dict.fromkeys(names, f"{family.type} {family.name}"))

    def _valid_points(self, family: Family) -> tuple[Point, ...]:
        """The points without gauges that were never set, and without counters that are negative or NaN."""
        points = family.points
        if family.descriptor.kind is Kind.GAUGE:
            return tuple(point for point in points if point.cells[1])
        if family.descriptor.kind is Kind.COUNTER:
            points = tuple(point for point in points if point.cells[0] >= 0)
            if len(points) < len(family.points):
                self._report_omission(family, "a counter cannot be negative or NaN", "a series of ")
        return points

    def _report_omission(self, family: Family, reason: str, part: str = "") -> None:
        descriptor = family.descriptor
        scope = f" of scope {descriptor.scope.name}" if descriptor.scope.name else ""
        self._report(f"{part}metric {descriptor.name}{scope} on the Prometheus page: {reason}")


def name_and_type(descriptor: Descriptor, names: Translation, namespace: str) -> tuple[str, str]:
    """The name and the type of a metric on the page."""
    registry_type = descriptor.prometheus_type
    if registry_type:
        return names.verbatim(legal_name(descriptor.name)), _PAGE_TYPES.get(registry_type, registry_type)
    name = names.metric(descriptor.name, descriptor.unit, descriptor.kind, namespace)
    return name, _TYPES[descriptor.kind]


def _target_family(name: str, resource: Attributes) -> PageFamily:
    members = [Family(TARGET_INFO, (Point(resource, 0, (1.0,)),))]
    return PageFamily(name, "info", "", TARGET_INFO.description, members)
