"""The families of the page: metrics under their Prometheus names, each name taken once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from dualmetrics.exporters.prometheus.naming.labels import TARGET
from dualmetrics.exporters.prometheus.naming.metric_names import legal_name, unit_name
from dualmetrics.exporters.prometheus.naming.translation import Translation
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot

Report = Callable[[str], None]

_TYPES = {
    Kind.COUNTER: "counter",
    Kind.UP_DOWN_COUNTER: "gauge",
    Kind.GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
    Kind.SUMMARY: "summary",
}
_FORMS = {"gaugehistogram": "gauge"}


@dataclass(frozen=True, slots=True)
class PageFamily:
    """Metrics that share one name and type, hence one HELP, TYPE and UNIT: those of the first.

    ``name`` is the whole name, ``_total`` or ``_info`` included. ``type`` is one of OpenMetrics'.
    """

    name: str
    type: str
    unit: str
    help: str
    members: list[Family]

    @property
    def base(self) -> str:
        """The name without the suffix of its type, as OpenMetrics names a family."""
        suffix = {"counter": "_total", "info": "_info"}.get(self.type, "")
        return self.name.removesuffix(suffix)

    @property
    def declared_unit(self) -> str:
        """The unit, where the name ends with it; parsers refuse any other."""
        return self.unit if self.unit and self.base.endswith(f"_{self.unit}") else ""


class FamilyBuilder:
    """Collects the families of one page.

    Metrics of one name and type are merged. A metric whose name means something else on the page already is
    left out and reported (OpenTelemetry's compatibility specification, *Metric Metadata*). ``claims`` tells
    which names a family takes in the format.
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
        self._found: dict[str, PageFamily] = {}
        self._taken: dict[str, str] = {}

    def of(self, snapshot: Snapshot) -> Iterable[PageFamily]:
        """The families in the order of their first metric, after ``target_info``."""
        if snapshot.resource:
            self._admit(_target(self._names.fixed("target_info"), snapshot.resource))
        for family in snapshot.families:
            points = self._presentable(family)
            if points:
                self._add(Family(family.descriptor, points))
        return self._found.values()

    def _add(self, family: Family) -> None:
        descriptor = family.descriptor
        unit = unit_name(descriptor.unit, descriptor.kind)
        name, type_ = named(descriptor, self._names, self._namespace)
        made = PageFamily(name, type_, unit, descriptor.description, [family])
        there = self._found.get(name)
        if there is not None and there.type == made.type:
            there.members.append(family)
        elif name:
            self._admit(made)
        else:
            self._leave_out(family, "its name has no letter or digit")

    def _admit(self, family: PageFamily) -> None:
        names = self._claims(family)
        for name in names:
            if name in self._taken:
                self._leave_out(family.members[0], f"{name} is taken by the {self._taken[name]}")
                return
        self._found[family.name] = family
        self._taken.update(dict.fromkeys(names, f"{family.type} {family.name}"))

    def _presentable(self, family: Family) -> tuple[Point, ...]:
        """Without gauges that were never set, and counters that are negative or NaN: neither can be."""
        points = family.points
        if family.descriptor.kind is Kind.GAUGE:
            return tuple(point for point in points if point.cells[1])
        if family.descriptor.kind is Kind.COUNTER:
            points = tuple(point for point in points if point.cells[0] >= 0)
            if len(points) < len(family.points):
                self._leave_out(family, "a counter cannot be negative or NaN", "a series of ")
        return points

    def _leave_out(self, family: Family, why: str, what: str = "") -> None:
        descriptor = family.descriptor
        scope = f" of scope {descriptor.scope.name}" if descriptor.scope.name else ""
        self._report(f"{what}metric {descriptor.name}{scope} on the Prometheus page: {why}")


def named(descriptor: Descriptor, names: Translation, namespace: str) -> tuple[str, str]:
    """The name and the type of a metric on the page."""
    if descriptor.prometheus_type:
        return names.fixed(legal_name(descriptor.name)), _FORMS.get(
            descriptor.prometheus_type, descriptor.prometheus_type
        )
    name = names.metric(descriptor.name, descriptor.unit, descriptor.kind, namespace)
    return name, _TYPES[descriptor.kind]


def _target(name: str, resource: Attributes) -> PageFamily:
    members = [Family(TARGET, (Point(resource, 0, (1.0,)),))]
    return PageFamily(name, "info", "", TARGET.description, members)
