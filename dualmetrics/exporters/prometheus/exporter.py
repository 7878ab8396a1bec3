"""The exporter: a snapshot in, a page out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from dualmetrics.exporters.prometheus.families import Arrangement, PageFamily, Report
from dualmetrics.exporters.prometheus.formats import FORMATS, Format
from dualmetrics.exporters.prometheus.labels import Labels
from dualmetrics.exporters.prometheus.negotiation import choose
from dualmetrics.snapshot import Snapshot

CHUNK = 32
"""Pieces in a chunk: the text of a histogram's series takes some 2 KB."""


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page. The body is ``pieces`` one after the other: many, and shared with other pages."""

    content_type: str
    pieces: list[bytes]

    @property
    def size(self) -> int:
        """The body's length in bytes."""
        return sum(map(len, self.pieces))

    def chunks(self) -> Iterator[bytes]:
        """The body in parts that are worth sending, each made when its turn has come."""
        for at in range(0, len(self.pieces), CHUNK):
            yield b"".join(self.pieces[at : at + CHUNK])


class PrometheusExporter:
    """Renders snapshots. Keeps the text of series from page to page; may be used by several threads.

    ``namespace`` is put before every name and ``const_labels`` on every series, ``target_info`` apart.
    For ``scope_labels`` and ``own_scope`` see `Labels`. ``on_conflict`` is told, on every page, what cannot
    stand on it and why.
    """

    def __init__(
        self,
        *,
        namespace: str = "",
        const_labels: Mapping[str, str] | None = None,
        scope_labels: str = "own",
        own_scope: str = "dualmetrics",
        on_conflict: Report = lambda message: None,
    ) -> None:
        self._namespace = namespace
        self._labels = Labels(const_labels or {}, scope_labels, own_scope)
        self._report = on_conflict
        self._writers = {format_.content_type: format_.writer(self._report) for format_ in FORMATS}

    def render(self, snapshot: Snapshot, accept: str | None = None, names: Collection[str] = ()) -> Page:
        """The page in the format that the header value ``accept`` likes best.

        ``names`` are those of families or samples; if there are any, the page has these families only.
        """
        format_ = choose(accept)
        families = Arrangement(self._namespace, format_.claims, self._report).of(snapshot)
        writer = self._writers[format_.content_type]
        if names:
            families = [family for family in families if _wanted(family, format_, names)]
            writer = format_.writer(self._report)  # the other one is to remember the whole page
        return Page(format_.content_type, writer.write(families, self._labels))


def _wanted(family: PageFamily, format_: Format, names: Collection[str]) -> bool:
    return any(name in names for name in (family.name, family.base, *format_.claims(family)))
