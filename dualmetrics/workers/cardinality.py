"""Which attribute sets a metric may have: the cardinality limit over the whole group, without a lock.

The file is a log of 32-byte entries (hash of the metric, hash of the attributes, start time, check), each
appended by one ``O_APPEND`` write, which the kernel keeps apart; 32 divides a page, so that a disk that
fills up takes an entry whole or not at all. A set is admitted if fewer than the limit of other sets of
its metric stand before its first entry, and that entry's time is the series' start in every worker and
for ever. It is asked only when a process meets a set for the first time.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from hashlib import blake2b
from typing import Protocol

from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.runtime import file_locks

ENTRY = struct.Struct("<8s8sQ8s")


class CardinalityLimiter(Protocol):
    """Decides on attribute sets that a process meets for the first time."""

    def admit(self, descriptor: Descriptor, attributes: Attributes, began: int | None = None) -> int | None:
        """When the series began in the group (ns since the epoch); None: past the limit.

        ``began`` is when one that is new to the group did; by default now.
        """
        ...


class ProcessLimiter:
    """The limit within one process."""

    def __init__(self, limit: int) -> None:
        self._ledger = AdmittedSeries(limit)

    def admit(self, descriptor: Descriptor, attributes: Attributes, began: int | None = None) -> int | None:
        """See `Admission`."""
        metric, series = series_hashes(descriptor, attributes)
        if self._ledger.is_full(metric) and self._ledger.start_of(metric, series) is None:
            return None
        self._ledger.add(metric, series, began or time.time_ns())
        return self._ledger.start_of(metric, series)


class GroupLimiter:
    """The limit over the group, from the log file open as ``descriptor`` (read, write, append): its own."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self.close = file_locks.finalizing_close(self, descriptor)
        """Close the log, if it is not closed yet."""
        self._ledger = AdmittedSeries(limit)
        self._read_upto = 0
        self._lock = threading.RLock()

    def admit(self, descriptor: Descriptor, attributes: Attributes, began: int | None = None) -> int | None:
        """See `Admission`. Raises OSError when the log cannot be written."""
        metric, series = series_hashes(descriptor, attributes)
        with self._lock:
            self._catch_up()
            start = self._ledger.start_of(metric, series)
            if start is None and not self._ledger.is_full(metric):
                now = self._append(metric, series, began or time.time_ns())
                self._catch_up()
                self._ledger.add(metric, series, now)  # if a damaged log does not show it
                start = self._ledger.start_of(metric, series)
            return start

    def _append(self, metric: bytes, series: bytes, start: int) -> int:
        entry = ENTRY.pack(metric, series, start, _check(metric, series, start))
        if os.write(self._descriptor, entry) != ENTRY.size:
            raise OSError("the log of admitted attribute sets could not be written whole")
        return start

    def _catch_up(self) -> None:
        """Read what others have appended since."""
        while data := os.pread(self._descriptor, 1 << 16, self._read_upto):
            whole = len(data) - len(data) % ENTRY.size
            for metric, series, start, check in ENTRY.iter_unpack(data[:whole]):
                if check == _check(metric, series, start):
                    self._ledger.add(metric, series, start)
            self._read_upto += whole
            if not whole:
                break


class AdmittedSeries:
    """The admitted sets in the order of the log: first come, first served, up to the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._starts: dict[bytes, dict[bytes, int]] = {}

    def add(self, metric: bytes, series: bytes, start: int) -> None:
        """Take an entry; one past the limit, or of a set that is known, changes nothing."""
        starts = self._starts.setdefault(metric, {})
        if len(starts) < self._limit:
            starts.setdefault(series, start)

    def start_of(self, metric: bytes, series: bytes) -> int | None:
        """The start of an admitted series."""
        return self._starts.get(metric, {}).get(series)

    def is_full(self, metric: bytes) -> bool:
        """Whether the metric takes no further sets."""
        return len(self._starts.get(metric, ())) >= self._limit


def series_hashes(descriptor: Descriptor, attributes: Attributes) -> tuple[bytes, bytes]:
    """Eight bytes each for the metric and for the attribute set."""
    scope = descriptor.scope
    metric = (scope.name, scope.version, scope.schema_url, attributes_key(scope.attributes), descriptor.name)
    shape = (descriptor.kind.value, descriptor.unit, descriptor.bounds)
    return _digest((metric, shape)), _digest(attributes_key(attributes))


def _digest(value: object) -> bytes:
    # repr is exact for the strings, numbers and tuples in here, and the same in every process.
    return blake2b(repr(value).encode("utf-8", "backslashreplace"), digest_size=8).digest()


def _check(metric: bytes, series: bytes, start: int) -> bytes:
    return blake2b(metric + series + start.to_bytes(8, "little"), digest_size=8, salt=b"dualmtrx").digest()
