"""The cardinality limit: how many attribute sets a metric may have in the whole group.

It needs no lock. The workers share a log of 32-byte entries: hash of the metric, hash of the attributes,
start time, checksum. Each entry is appended by one ``O_APPEND`` write, and the kernel does not mix such
writes. Since 32 divides the size of a page, a full disk takes an entry completely or not at all.

An attribute set is admitted if, before its first entry, the log has fewer other sets of its metric than the
limit. The time in that entry is the start time of the series in every worker for as long as the group lasts.
A process asks only when it meets an attribute set for the first time.
"""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator
from hashlib import blake2b
from typing import Protocol

from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, metric_key
from dualmetrics.runtime import file_locks
from dualmetrics.workers.deletion import DeletionWatch

_ENTRY = struct.Struct("<8s8sQ8s")


class CardinalityLimiter(Protocol):
    """Decides whether a metric may have an attribute set that this process meets for the first time."""

    def admit(
        self, descriptor: Descriptor, attributes: Attributes, start_time_ns: int | None = None
    ) -> int | None:
        """Return the start time of the series in the group, or None if it is past the limit.

        ``start_time_ns`` is used if the series is new to the group; by default it is now. Times are in
        nanoseconds since the epoch. Raises OSError if the log cannot be read or written.
        """
        ...


class ProcessLimiter:
    """A limiter for a process that is in no group."""

    def __init__(self, limit: int) -> None:
        self._admitted = AdmittedSeries(limit)

    def admit(
        self, descriptor: Descriptor, attributes: Attributes, start_time_ns: int | None = None
    ) -> int | None:
        """Return the start time of the series, or None (see `CardinalityLimiter`)."""
        metric, series = series_hashes(descriptor, attributes)
        if self._admitted.is_full(metric) and self._admitted.start_of(metric, series) is None:
            return None
        self._admitted.add(metric, series, start_time_ns or time.time_ns())
        return self._admitted.start_of(metric, series)


class GroupLimiter:
    """A limiter for a group. It owns ``descriptor``, the log opened for reading, writing and appending."""

    def __init__(self, descriptor: int, limit: int) -> None:
        self._descriptor = descriptor
        self.close = file_locks.finalizing_close(self, descriptor)
        """Close the log if it is open."""
        self.watch = DeletionWatch(descriptor)
        self._limit = limit
        self._admitted = AdmittedSeries(limit)
        self._read_offset = 0
        self._lock = threading.RLock()

    def admit(
        self, descriptor: Descriptor, attributes: Attributes, start_time_ns: int | None = None
    ) -> int | None:
        """Return the start time of the series, or None (see `CardinalityLimiter`). Raises OSError."""
        metric, series = series_hashes(descriptor, attributes)
        with self._lock:
            self._read_new_entries()
            start = self._admitted.start_of(metric, series)
            if start is None and not self._admitted.is_full(metric):
                start = start_time_ns or time.time_ns()
                self._append(metric, series, start)
                self._read_new_entries()
                self._admitted.add(metric, series, start)  # in case a damaged log does not have it
                start = self._admitted.start_of(metric, series)
            return start

    def move_to(self, descriptor: int) -> None:
        """Go on in another log, because somebody has deleted this one. Closes ``descriptor``. Raises OSError.

        Writes what the new log lacks. An entry that several workers write counts once.
        """
        with self._lock, file_locks.closing(descriptor):
            os.dup2(descriptor, self._descriptor, inheritable=False)
            self.watch.restart()
            known, self._admitted, self._read_offset = self._admitted, AdmittedSeries(self._limit), 0
            self._read_new_entries()
            for metric, series, start in known:
                if self._admitted.start_of(metric, series) is None:
                    self._append(metric, series, start)
                    self._admitted.add(metric, series, start)

    def _append(self, metric: bytes, series: bytes, start: int) -> None:
        entry = _ENTRY.pack(metric, series, start, _checksum(metric, series, start))
        if os.write(self._descriptor, entry) != _ENTRY.size:
            raise OSError("an entry of the log of admitted attribute sets was only written in part")

    def _read_new_entries(self) -> None:
        while data := os.pread(self._descriptor, 1 << 16, self._read_offset):
            length = len(data) - len(data) % _ENTRY.size
            for metric, series, start, checksum in _ENTRY.iter_unpack(data[:length]):
                if checksum == _checksum(metric, series, start):
                    self._admitted.add(metric, series, start)
            self._read_offset += length
            if not length:
                break


class AdmittedSeries:
    """The admitted attribute sets by metric. The first ones up to the limit are admitted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._starts: dict[bytes, dict[bytes, int]] = {}

    def add(self, metric: bytes, series: bytes, start: int) -> None:
        """Add an entry of the log. Ignores entries past the limit and second entries of a set."""
        starts = self._starts.setdefault(metric, {})
        if len(starts) < self._limit:
            starts.setdefault(series, start)

    def __iter__(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Yield the metric, the attribute set and the start time of each admitted series."""
        for metric, starts in self._starts.items():
            for series, start in starts.items():
                yield metric, series, start

    def start_of(self, metric: bytes, series: bytes) -> int | None:
        """Return the start time of an admitted series, or None if the series is not admitted."""
        return self._starts.get(metric, {}).get(series)

    def is_full(self, metric: bytes) -> bool:
        """Whether the metric has reached the limit."""
        return len(self._starts.get(metric, ())) >= self._limit


def series_hashes(descriptor: Descriptor, attributes: Attributes) -> tuple[bytes, bytes]:
    """Return a hash of the metric and one of the attribute set, 8 bytes each."""
    shape = (descriptor.kind.value, descriptor.unit, descriptor.bounds)
    return _digest((metric_key(descriptor), shape)), _digest(attributes_key(attributes))


def _digest(value: object) -> bytes:
    # repr is exact for the strings, numbers and tuples in here, and it is the same in every process.
    return blake2b(repr(value).encode("utf-8", "backslashreplace"), digest_size=8).digest()


def _checksum(metric: bytes, series: bytes, start: int) -> bytes:
    return blake2b(metric + series + start.to_bytes(8, "little"), digest_size=8, salt=b"dualmtrx").digest()
