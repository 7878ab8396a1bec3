"""Floors of pages and pushes: the least Python code that turns existing rows into text or protobuf.

They have no catalog, no other types of metrics, no escaping and no error handling.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import add
from pathlib import Path

from benchmarks.floors import BOUNDS

HistogramCells = Sequence[float]
"""The buckets, then the sum."""

HISTOGRAM_WIDTH = len(BOUNDS) + 2


class PageFloor:
    """Renders a page of histograms from one ``%`` template per series."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self._head = f"# HELP {name} \n# TYPE {name} histogram\n"
        self._templates = [_template(name, each) for each in labels]

    def render(self, rows: Sequence[HistogramCells]) -> bytes:
        """The text of the page."""
        lines = [self._head]
        for template, row in zip(self._templates, rows, strict=True):
            lines.append(template % _cumulated(row))
        return "".join(lines).encode()


class CachedPageFloor:
    """The same, but keeps the text of rows that have not changed. It compares only the sums."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self._head = f"# HELP {name} \n# TYPE {name} histogram\n".encode()
        self._templates = [_template(name, each) for each in labels]
        self._sums: Sequence[float] = [-1.0] * len(labels)
        self._texts = [b""] * len(labels)

    def render(self, cells: memoryview) -> bytes:
        """The text of the page, from the rows one after the other in one buffer."""
        sums = cells[HISTOGRAM_WIDTH - 1 :: HISTOGRAM_WIDTH].tolist()
        pairs = zip(sums, self._sums, strict=True)
        for index in [index for index, (new, old) in enumerate(pairs) if new != old]:
            start = index * HISTOGRAM_WIDTH
            text = self._templates[index] % _cumulated(cells[start : start + HISTOGRAM_WIDTH])
            self._texts[index] = text.encode()
        self._sums = sums
        return b"".join((self._head, *self._texts))


def _template(name: str, labels: str) -> str:
    buckets = "".join(f'{name}_bucket{{{labels},le="{bound}"}} %d\n' for bound in (*BOUNDS, "+Inf"))
    return f"{buckets}{name}_count{{{labels}}} %d\n{name}_sum{{{labels}}} %r\n"


def _cumulated(row: HistogramCells) -> tuple[float, ...]:
    counts: list[float] = [*accumulate(row[:-1])]
    return (*counts, counts[-1], row[-1])


class WorkersFloor:
    """Renders a page over many workers.

    Each worker has a file of labels (JSON) and a file of cells, in the same order.

    The first page reads the labels of every worker, since each may have other series.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._directory = directory
        self._page: PageFloor | None = None

    def render(self) -> bytes:
        """The text of the page with the sums over all workers."""
        if self._page is None:
            self._page = PageFloor(self._name, self._read_labels())
        total: list[float] = []
        for path in sorted(self._directory.glob("*.cells")):
            cells = memoryview(path.read_bytes()).cast("d")
            total = list(map(add, total, cells)) if total else [*cells]
        rows = [total[at : at + HISTOGRAM_WIDTH] for at in range(0, len(total), HISTOGRAM_WIDTH)]
        return self._page.render(rows)

    def _read_labels(self) -> list[str]:
        labels: dict[str, None] = {}
        for path in sorted(self._directory.glob("*.labels")):
            for line in path.read_bytes().splitlines():
                labels[",".join(f'{key}="{value}"' for key, value in json.loads(line).items())] = None
        return list(labels)


class PackingFloor:
    """Encodes histograms as OTLP with ``struct.pack``. All bytes that never change are prepared.

    The format is *HistogramDataPoint* of opentelemetry/proto/metrics/v1/metrics.proto.
    """

    def __init__(self, name: str, attributes: Sequence[dict[str, str]], start: int) -> None:
        self._name = name.encode()
        counts, bounds = 8 * (len(BOUNDS) + 1), 8 * len(BOUNDS)
        self._tail = _field(7, struct.pack(f"<{len(BOUNDS)}d", *BOUNDS))
        self._pack = struct.Struct(f"<BQBQBQBdBB{len(BOUNDS) + 1}Q").pack
        self._start, self._counts = start, counts
        length = 4 * 9 + 2 + counts + 2 + bounds
        self._heads = [self._head(each, length) for each in attributes]

    @staticmethod
    def _head(attributes: dict[str, str], rest: int) -> bytes:
        packed = b"".join(
            _field(9, _field(1, key.encode()) + _field(2, _field(1, value.encode())))
            for key, value in attributes.items()
        )
        return b"\x0a" + _varint(len(packed) + rest) + packed

    def encode(self, rows: Sequence[HistogramCells], now: int) -> bytes:
        """The ExportMetricsServiceRequest."""
        points = b"".join(self._points(rows, now))
        data = points + b"\x10\x02"  # cumulative
        metric = _field(1, self._name) + _field(9, data)
        return _field(1, _field(2, _field(2, metric)))

    def _points(self, rows: Sequence[HistogramCells], now: int) -> Iterator[bytes]:
        pack, tail, start, size = self._pack, self._tail, self._start, self._counts
        for head, row in zip(self._heads, rows, strict=True):
            counts = [*map(int, row[:-1])]
            yield head
            yield pack(0x11, start, 0x19, now, 0x21, sum(counts), 0x29, row[-1], 0x32, size, *counts)
            yield tail


def _field(number: int, content: bytes) -> bytes:
    return bytes((number << 3 | 2,)) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes((*encoded, value))
