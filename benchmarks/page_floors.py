"""Floors of pages and pushes: rows that are there already become text or protobuf, and nothing else.

No catalog, no other metric types, no escaping, no error paths.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import add
from pathlib import Path

from benchmarks.floors import BOUNDS

Cells = Sequence[float]
"""Buckets, then the sum."""

WIDTH = len(BOUNDS) + 2


class PageFloor:
    """A page of histograms: one ``%`` template a series, filled from its row."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self._head = f"# HELP {name} \n# TYPE {name} histogram\n"
        self._templates = [_template(name, each) for each in labels]

    def render(self, rows: Sequence[Cells]) -> bytes:
        """The page's text."""
        lines = [self._head]
        for template, row in zip(self._templates, rows, strict=True):
            lines.append(template % _cumulated(row))
        return "".join(lines).encode()


class CachedPageFloor:
    """The same, but the text of a row that has not changed is kept. Whether it has, its sum tells."""

    def __init__(self, name: str, labels: Sequence[str]) -> None:
        self._head = f"# HELP {name} \n# TYPE {name} histogram\n".encode()
        self._templates = [_template(name, each) for each in labels]
        self._sums: Sequence[float] = [-1.0] * len(labels)
        self._texts = [b""] * len(labels)

    def render(self, cells: memoryview) -> bytes:
        """The page's text, of rows one after the other."""
        sums = cells[WIDTH - 1 :: WIDTH].tolist()
        changed = [at for at, (new, old) in enumerate(zip(sums, self._sums, strict=True)) if new != old]
        for at in changed:
            text = self._templates[at] % _cumulated(cells[at * WIDTH : (at + 1) * WIDTH])
            self._texts[at] = text.encode()
        self._sums = sums
        return b"".join((self._head, *self._texts))


def _template(name: str, labels: str) -> str:
    buckets = "".join(f'{name}_bucket{{{labels},le="{bound}"}} %d\n' for bound in (*BOUNDS, "+Inf"))
    return f"{buckets}{name}_count{{{labels}}} %d\n{name}_sum{{{labels}}} %r\n"


def _cumulated(row: Cells) -> tuple[float, ...]:
    counts: list[float] = [*accumulate(row[:-1])]
    return (*counts, counts[-1], row[-1])


class WorkersFloor:
    """A page over a file a worker: labels as JSON in one, doubles in the other, all in the same order.

    The first page reads the labels of every file, as each may have others.
    """

    def __init__(self, name: str, directory: Path) -> None:
        self._name = name
        self._directory = directory
        self._page: PageFloor | None = None

    def render(self) -> bytes:
        """The page's text: the sum of all files' doubles."""
        if self._page is None:
            self._page = PageFloor(self._name, self._labels())
        total: list[float] = []
        for path in sorted(self._directory.glob("*.cells")):
            cells = memoryview(path.read_bytes()).cast("d")
            total = list(map(add, total, cells)) if total else [*cells]
        return self._page.render([total[at : at + WIDTH] for at in range(0, len(total), WIDTH)])

    def _labels(self) -> list[str]:
        found: dict[str, None] = {}
        for path in sorted(self._directory.glob("*.labels")):
            for line in path.read_bytes().splitlines():
                found[",".join(f'{key}="{value}"' for key, value in json.loads(line).items())] = None
        return list(found)


class PackingFloor:
    """OTLP of histograms: ``struct.pack`` and joins, with all that never changes prepared as bytes.

    See opentelemetry/proto/metrics/v1/metrics.proto, *HistogramDataPoint*.
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

    def encode(self, rows: Sequence[Cells], now: int) -> bytes:
        """The ExportMetricsServiceRequest."""
        points = b"".join(self._points(rows, now))
        data = points + b"\x10\x02"  # cumulative
        metric = _field(1, self._name) + _field(9, data)
        return _field(1, _field(2, _field(2, metric)))

    def _points(self, rows: Sequence[Cells], now: int) -> Iterator[bytes]:
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
