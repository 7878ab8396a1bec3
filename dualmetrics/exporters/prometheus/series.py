"""The text of one series: a template that is prepared once and filled from the row of cells."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from dualmetrics.exporters.prometheus.formats import Format
from dualmetrics.exporters.prometheus.labels import braced
from dualmetrics.exporters.prometheus.names import number
from dualmetrics.snapshot import Attributes, Descriptor, Kind


class SeriesText:
    """Renders one series in one format, again only where its cells have changed."""

    __slots__ = ("_cells", "_histogram", "_template", "_text", "attributes", "labels", "used")

    def __init__(
        self, name: str, labels: str, descriptor: Descriptor, attributes: Attributes, format: Format
    ) -> None:
        self.attributes = attributes
        self.labels = labels
        self.used = 0
        self._histogram = descriptor.kind is Kind.HISTOGRAM
        self._template = _template(name, labels, descriptor, format)
        self._cells: Sequence[float] = ()
        self._text = ""

    def render(self, cells: Sequence[float]) -> str:
        """The lines of the series."""
        if cells != self._cells:
            self._text = self._filled(cells)
            self._cells = cells
        return self._text

    def _filled(self, cells: Sequence[float]) -> str:
        if not self._histogram:
            return self._template % number(cells[0])
        counts = tuple(accumulate(cells[:-1]))
        return self._template % (*counts, number(cells[-1]), counts[-1])


def _template(name: str, labels: str, descriptor: Descriptor, format: Format) -> str:
    fixed = labels.replace("%", "%%")
    if descriptor.kind is not Kind.HISTOGRAM:
        return f"{name}{braced(fixed)} %s\n"
    bounds = [format.bound(bound) for bound in descriptor.bounds] + ["+Inf"]
    lines = [f"{name}_bucket{braced(fixed, bucket(bound))} %d\n" for bound in bounds]
    return "".join(lines) + f"{name}_sum{braced(fixed)} %s\n{name}_count{braced(fixed)} %d\n"


def bucket(bound: str) -> str:
    """The label of a bucket."""
    return f'le="{bound}"'
