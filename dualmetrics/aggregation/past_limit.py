"""What a metric does with new attribute sets once it has reached the cardinality limit.

From then on no set is admitted any more, so a set that was not admitted goes to the overflow series for good.
An attacker may send new sets with every request, so this has to be fast: the CRC of a set tells that it was
not admitted. If it has the CRC of an admitted set, the log is asked as usual.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar
from zlib import crc32

from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind
from dualmetrics.runtime.free_threading import FIRST_SHARD, locked_if_free_threaded
from dualmetrics.storage.regions import Row

RowT = TypeVar("RowT")

OVERFLOWS = Descriptor(
    OWN_SCOPE,
    "dualmetrics.overflows",
    Kind.COUNTER,
    "{set}",
    "Attribute sets beyond the cardinality limit, counted in each worker.",
)
"""The metric that counts them, by the attribute ``metric``."""

_MAX_LENGTH = 4096
"""Longer sets are normalized first, which may cut them."""

_SURROGATE = b"\\ud"
"""Begins a lone surrogate in the output of ``repr``. Normalization replaces it."""

_MAX_COUNTED = 10_000
"""How many sets are remembered, so that each is counted once. Of further ones, each measurement counts."""


class PastLimit(Generic[RowT]):
    """The overflow series of one metric that is full.

    ``admitted`` are the CRCs of the admitted sets. ``overflows`` is the row of `OVERFLOWS` for this metric.
    """

    def __init__(self, row: RowT, admitted: Collection[int], overflows: Row) -> None:
        self._row = row
        self._admitted = admitted
        self._overflows = overflows
        self._counted: set[int] = set()

    def row(self, items: tuple[tuple[object, object], ...]) -> RowT | None:
        """The overflow row, if this set was certainly not admitted. ``items`` are as the app passes them."""
        for key, value in items:
            if type(key) is not str or type(value) is not str or not key:
                return None
        text = repr(items if len(items) < 2 else tuple(sorted(items))).encode()
        crc = crc32(text)
        if crc in self._admitted or len(text) > _MAX_LENGTH or _SURROGATE in text:
            return None
        if crc not in self._counted:
            self._count(crc)
        return self._row

    @locked_if_free_threaded(FIRST_SHARD)
    def _count(self, crc: int) -> None:
        if len(self._counted) < _MAX_COUNTED:
            self._counted.add(crc)
        self._overflows[0] += 1.0
