"""The records of a file with totals: the archive of dead workers, and the baseline of delta temporality."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.exponential_histogram import ExponentialHistogram
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.storage import exemplar_slots, file_format


class SeriesTotal(NamedTuple):
    """What one series has counted. ``cells`` are as many as in a worker's row."""

    descriptor: Descriptor
    attributes: Attributes
    start_time_ns: int
    cells: Sequence[float]
    exponential: ExponentialHistogram | None = None
    exemplars: Exemplars = ()


def encode_totals(totals: Iterable[SeriesTotal], declared_at: Callable[[Descriptor], int]) -> Iterator[bytes]:
    """Yield the records of the totals, each descriptor before its first series.

    ``declared_at`` gives the time (ns since the epoch) at which a descriptor was declared.
    """
    numbers: dict[int, int] = {}  # by identity: descriptors are interned, and slow to hash
    for total in totals:
        number = numbers.get(id(total.descriptor))
        if number is None:
            number = numbers[id(total.descriptor)] = len(numbers)
            body = [
                declared_at(total.descriptor),
                *file_format.descriptor_body(number, total.descriptor),
            ]
            yield file_format.encode_record(file_format.DESCRIPTOR, body, 0)
        yield from _encode_total(number, total)


def _encode_total(number: int, total: SeriesTotal) -> Iterator[bytes]:
    name = number, total.start_time_ns, total.attributes
    yield file_format.encode_series(*name, total.cells)
    if total.exponential is not None:
        yield file_format.encode_exponential(total.exponential)
    if total.exemplars:
        size = exemplar_slots.slot_size(total.exemplars)
        slots = exemplar_slots.encode_slots(total.exemplars, size)
        yield file_format.encode_exemplars(exemplar_slots.RECORD_KINDS[size], *name, slots)
