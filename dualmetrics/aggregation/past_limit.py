"""What a metric does with new attribute sets once it has reached the cardinality limit.

From then on no set is admitted any more, so a set that was not admitted goes to the overflow series for good.
An attacker may send new sets with every request, so this has to be fast: the CRC of a set tells that it was
not admitted. If it has the CRC of an admitted set, the log is asked as usual.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind
from dualmetrics.runtime.free_threading import FIRST_SHARD, locked_if_free_threaded
from dualmetrics.storage.regions import Row
from dualmetrics.workers.cardinality import quick_crc

Items = tuple[tuple[str, Any], ...]
"""The items of attributes, as the app passes them."""

RowT = TypeVar("RowT")

OVERFLOWS = Descriptor(
    OWN_SCOPE,
    "dualmetrics.overflows",
    Kind.COUNTER,
    "{set}",
    "Attribute sets beyond the cardinality limit, counted in each worker.",
)
"""The metric that counts them, by the attribute ``metric``."""

_MAX_COUNTED = 10_000
"""How many sets are remembered, so that each is counted once. Of further ones, each measurement counts."""


class RowsPastLimit(dict[Items, RowT]):
    """The rows of a metric that is full, and the overflow row for each set that was not admitted.

    ``admitted`` are the CRCs of the admitted sets. ``overflows`` is the row of `OVERFLOWS` for this metric.
    """

    def __init__(
        self, known: dict[Items, RowT], row: RowT, admitted: Collection[int], overflows: Row
    ) -> None:
        super().__init__(known)
        self._row = row
        self._admitted = admitted
        self._overflows = overflows
        self._counted: set[int] = set()

    def __missing__(self, items: Items) -> RowT:
        """The overflow row. Raises KeyError if the set may have been admitted."""
        try:
            crc = quick_crc(items)
        except ValueError:
            raise KeyError(items) from None
        if crc in self._admitted:
            raise KeyError(items)
        if crc not in self._counted:
            self._count(crc)
        return self._row

    @locked_if_free_threaded(FIRST_SHARD)
    def _count(self, crc: int) -> None:
        if len(self._counted) < _MAX_COUNTED:
            self._counted.add(crc)
        self._overflows[0] += 1.0
