"""The interned series of the group, and the index of each file that was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from dualmetrics import records, slots
from dualmetrics.banks import WIDTH
from dualmetrics.exponential import LEAST, Exponential
from dualmetrics.exponentials import Exponentials
from dualmetrics.merge import Series, metric, shape, width
from dualmetrics.records import HEADER, FormatError, Record
from dualmetrics.rows import Rows
from dualmetrics.rules import Cells, Rules, Treatment
from dualmetrics.snapshot import Attributes, Descriptor, Exemplars, identity


class Catalog:
    """Gives one `Series` object for each series, whichever files it is met in."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._descriptors: dict[tuple[object, ...], Descriptor] = {}
        self._treatments: dict[int, Treatment] = {}
        self._series: dict[tuple[object, ...], Series] = {}
        self._written: dict[tuple[int, bytes], Series] = {}

    def descriptor(self, descriptor: Descriptor) -> Descriptor:
        """The first descriptor met that differs in nothing but the description."""
        return self._descriptors.setdefault((metric(descriptor), shape(descriptor)), descriptor)

    def series(self, descriptor: Descriptor, attributes: Attributes, start: int, slot: int | None) -> Series:
        """The series; ``descriptor`` is one that `descriptor` gave.

        Gauges that are kept per worker get the attribute ``worker``.
        """
        treatment = self._treatment(descriptor)
        if slot is not None and treatment.per_worker:
            attributes = _with_worker(attributes, slot)
        key = (id(descriptor), identity(attributes))
        known = self._series.get(key)
        if known is None:
            made = Series(treatment, attributes, start)
            known = self._series.setdefault(key, made)  # another thread may have been faster
        elif start < known.start:
            known.begin(start)  # admitted privately by one worker when the log could not be written
        return known

    def written(self, descriptor: Descriptor, text: bytes, slot: int | None) -> Series:
        """The series of a record. Siblings write the same text for the same series: it is parsed once.

        Raises ValueError, TypeError, LookupError or FormatError for a text that makes no sense.
        """
        key = id(descriptor), text
        known = self._written.get(key)
        if known is None:
            _, start, attributes = json.loads(text)
            known = self.series(descriptor, records.decode_attributes(attributes), start, slot)
            if not self._treatment(descriptor).per_worker:
                self._written[key] = known
        return known

    def _treatment(self, descriptor: Descriptor) -> Treatment:
        known = self._treatments.get(id(descriptor))
        if known is None:
            known = self._treatments[id(descriptor)] = self._rules.treatment(descriptor)
        return known


class Index:
    """What has been parsed of one file. Records are only ever appended, so each is parsed once."""

    def __init__(self, catalog: Catalog, slot: int | None) -> None:
        self.declared: dict[Descriptor, int] = {}
        self.contains: frozenset[bytes] = frozenset()
        self.upto = HEADER.size
        self._rows = Rows()
        self._exponentials = Exponentials()
        self._located: tuple[Series, int] | None = None
        """The series whose record came last, and the byte where that ends."""
        self._slots: list[tuple[Series, slice, int]] = []
        """Where the slots of a series lie, and their size."""
        self._catalog = catalog
        self._slot = slot
        self._numbers: dict[int, tuple[Descriptor, int]] = {}

    def extend(self, data: bytes, committed: int) -> None:
        """Parse what was committed since. Raises FormatError; what came before the damage stays."""
        for record in records.decode_records(data, self.upto, committed):
            self._take(record)
            self.upto = record.cells_at + 8 * record.width

    def rows(self, data: bytes) -> Iterable[tuple[Series, Cells]]:
        """The series with their cells, from the bytes of the file."""
        # An archive hardly ever changes. Siblings are many: to keep what each had would cost their memory.
        return self._rows.latest(data) if self._slot is None else self._rows.read(data)

    def exponentials(self, data: bytes) -> Iterable[tuple[Series, Callable[[], Exponential]]]:
        """The series that have been recorded in exponential buckets too, with what reads these."""
        return self._exponentials.read(data)

    def torn(self, data: bytes) -> bool:
        """Whether the bytes are to be read again (see `banks`)."""
        return self._exponentials.torn(data)

    def exemplars(self, data: bytes) -> Iterator[tuple[Series, Exemplars]]:
        """The series that have had exemplars, with these."""
        for series, place, size in self._slots:
            yield series, slots.decode(data[place], size)

    def _take(self, record: Record) -> None:
        try:
            if record.kind == records.SERIES:
                self._locate(record)
            elif record.kind == records.DESCRIPTOR:
                self._declare(record.body)
            elif record.kind in (records.BANKS, records.EXPONENTIAL):
                self._locate_exponential(record)
            elif record.kind in slots.SIZES:
                self._locate_slots(record)
            elif record.kind == records.CONTAINS:
                self.contains |= {bytes.fromhex(name) for name in record.body}
        except (ValueError, TypeError, LookupError, RecursionError) as error:
            raise FormatError("corrupt") from error

    def _declare(self, body: list[object]) -> None:
        declared, *rest = body
        number, descriptor = records.decode_descriptor(rest)
        descriptor = self._catalog.descriptor(descriptor)
        self._numbers[number] = descriptor, width(descriptor)
        self.declared[descriptor] = int(str(declared))

    def _locate(self, record: Record) -> None:
        descriptor, cells = self._numbers[_number(record.text)]
        if record.width != cells:
            raise ValueError("a series whose cells do not fit its metric")
        series = self._catalog.written(descriptor, record.text, self._slot)
        end = record.cells_at + 8 * record.width
        self._rows.add(series, end, record.width)
        self._located = series, end

    def _locate_exponential(self, record: Record) -> None:
        if self._located is None:
            raise ValueError("cells that belong to no series")
        series, row_end = self._located
        end = record.cells_at + 8 * record.width
        if record.kind == records.BANKS and record.width == WIDTH:
            self._exponentials.add_banks(series, row_end, end)
        elif record.kind == records.EXPONENTIAL and record.width >= LEAST:
            self._exponentials.add_total(series, record.width, end)
        else:
            raise ValueError("cells that are no exponential histogram")

    def _locate_slots(self, record: Record) -> None:
        descriptor, _ = self._numbers[_number(record.text)]
        size = slots.SIZES[record.kind]
        if record.width != slots.width(descriptor, size):
            raise ValueError("exemplars that do not fit their metric")
        series = self._catalog.written(descriptor, record.text, self._slot)
        self._slots.append((series, slice(record.cells_at, record.cells_at + 8 * record.width), size))


def _number(text: bytes) -> int:
    """That of the descriptor, which a series' text begins with."""
    return int(text[1 : text.index(b",")])


def _with_worker(attributes: Attributes, slot: int) -> Attributes:
    others = tuple(pair for pair in attributes if pair[0] != "worker")
    return tuple(sorted((*others, ("worker", str(slot)))))
