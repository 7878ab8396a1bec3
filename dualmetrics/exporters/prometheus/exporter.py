"""Snapshot -> page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from dualmetrics.exporters.prometheus.chunks import in_chunks
from dualmetrics.exporters.prometheus.duplicates import distinct
from dualmetrics.exporters.prometheus.formats import Format
from dualmetrics.exporters.prometheus.labels import Labels, braced, sample_names
from dualmetrics.exporters.prometheus.names import metric_name
from dualmetrics.exporters.prometheus.negotiation import choose
from dualmetrics.exporters.prometheus.series import SeriesText
from dualmetrics.snapshot import Descriptor, Family, Kind, Point, Snapshot

class Page(NamedTuple):
    """A rendered page, in pieces that are sent one after the other."""

    content_type: str
    chunks: list[bytes]


class PrometheusExporter:
    """Renders snapshots, keeping the text of series that do not change.

    ``namespace`` goes before every metric's name, ``const_labels`` on every series; for ``scope_labels`` see `Labels`.
    ``on_conflict`` is told of metrics that cannot stand on a page together; the first one stays.
    """

    def __init__(
        self,
        *,
        namespace: str = "",
        const_labels: Mapping[str, str] | None = None,
        scope_labels: str = "own",
        own_scope: str = "dualmetrics",
        on_conflict: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._namespace = namespace
        self._labels = Labels(const_labels or {}, scope_labels, own_scope)
        self._on_conflict = on_conflict
        self._known: dict[tuple[Format, Descriptor], dict[int, SeriesText]] = {}
        self._names: dict[Descriptor, str] = {}
        self._round = 0
        self._lock = threading.Lock()

    def render(self, snapshot: Snapshot, accept: str | None = None, names: Collection[str] = ()) -> Page:
        """The page in the format that ``accept`` asks for; with ``names`` only these metrics or samples."""
        format = choose(accept)
        with self._lock:
            self._round += 1
            chunks = list(in_chunks(self._pieces(snapshot, format, frozenset(names))))
            if not names:
                self._forget_unused(format)
        return Page(format.content_type, chunks)

    def _pieces(self, snapshot: Snapshot, format: Format, names: frozenset[str]) -> Iterator[str]:
        if snapshot.resource and (not names or names & {"target_info", "target"}):
            yield format.target_head() + f"target_info{braced(self._labels.of_target(snapshot.resource))} 1\n"
        for name, families in self._metrics(snapshot.families).items():
            if not names or names & set(sample_names(name, families[0].descriptor.kind)):
                yield format.head(name, families[0].descriptor)
                yield from self._series(name, families, format)
        yield format.end

    def _metrics(self, families: Iterable[Family]) -> dict[str, list[Family]]:
        """The families by their names on the page, without those that cannot stand beside an earlier one."""
        metrics: dict[str, list[Family]] = {}
        taken: dict[str, tuple[str, Kind]] = {name: ("target_info", Kind.GAUGE) for name in ("target", "target_info")}
        for family in families:
            descriptor = family.descriptor
            name = self._name(descriptor)
            claims = list(sample_names(name, descriptor.kind))
            if any(taken.get(claim, (name, descriptor.kind)) != (name, descriptor.kind) for claim in claims):
                self._on_conflict(f"metric {descriptor.name} would be {name} on the page, where another one is")
            elif name in metrics and metrics[name][0].descriptor.bounds != descriptor.bounds:
                self._on_conflict(f"metric {descriptor.name} has other buckets than another {name} on the page")
            elif family.points:
                taken.update(dict.fromkeys(claims, (name, descriptor.kind)))
                metrics.setdefault(name, []).append(family)
        return metrics

    def _name(self, descriptor: Descriptor) -> str:
        name = self._names.get(descriptor)
        if name is None:
            name = self._names[descriptor] = metric_name(descriptor, self._namespace)
        return name

    def _series(self, name: str, families: list[Family], format: Format) -> Iterator[str]:
        found: list[tuple[SeriesText, Point]] = []
        for family in families:
            known = self._known.setdefault((format, family.descriptor), {})
            found += [(self._text(known, name, family.descriptor, point, format), point) for point in family.points]
        for text, point in distinct(found, families[0].descriptor.kind):
            yield text.render(point.cells)

    def _text(
        self, known: dict[int, SeriesText], name: str, descriptor: Descriptor, point: Point, format: Format
    ) -> SeriesText:
        """The prepared text of a series.

        It is known by the identity of its attributes, an object that the store makes once and the text keeps alive:
        the cheapest look-up, and one that tells 1, 1.0 and True apart.
        """
        attributes = point.attributes
        text = known.get(id(attributes))
        if text is None:
            labels = self._labels.of(descriptor, attributes)
            text = known[id(attributes)] = SeriesText(name, labels, descriptor, attributes, format)
        text.used = self._round
        return text

    def _forget_unused(self, format: Format) -> None:
        """Drop the text of series that this format's latest whole page no longer had."""
        for (of, _), known in self._known.items():
            if of == format and any(text.used != self._round for text in known.values()):
                for key in [key for key, text in known.items() if text.used != self._round]:
                    del known[key]
