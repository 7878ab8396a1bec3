"""The cardinality limit: how many attribute sets a metric may have in the whole group.

It needs no lock. The workers share a log of 32-byte entries: hash of the metric, hash of the attributes,
start time, CRC-32 of the attributes, checksum. Each entry is appended by one ``O_APPEND`` write, and the
kernel does not mix such writes. Since 32 divides the size of a page, a full disk takes an entry completely or
not at all.

An attribute set is admitted if, before its first entry, the log has fewer other sets of its metric than the
limit. The time in that entry is the start time of the series in every worker for as long as the group lasts.
A process asks only when it meets an attribute set for the first time.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple, Protocol
from zlib import crc32

from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, metric_key
from dualmetrics.runtime import file_locks
from dualmetrics.runtime.locks import ReentrantLock
from dualmetrics.workers.deletion import DeletionWatch

_ENTRY = struct.Struct("<8s8sQI4s")

_MAX_LENGTH = 1024  # a longer text may be cut by normalization


class SeriesHashes(NamedTuple):
    """Names a series in the log: a hash of the metric, one of the attributes (8 bytes each), and a CRC-32.

    Nobody can find attributes with a given hash, but anybody can with a given CRC. That is only used to tell
    quickly that a set was *not* admitted (see `RowsPastLimit`). It is 0 if there is none (see `quick_crc`).
    """

    metric: bytes
    series: bytes
    crc: int


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

    def admitted_crcs(self, descriptor: Descriptor) -> Collection[int] | None:
        """Return the CRCs of all sets of a metric that has reached the limit; None if it has not."""
        ...


class ProcessLimiter:
    """A limiter for a process that is in no group."""

    def __init__(self, limit: int) -> None:
        self._admitted = AdmittedSeries(limit)

    def admit(
        self, descriptor: Descriptor, attributes: Attributes, start_time_ns: int | None = None
    ) -> int | None:
        """Return the start time of the series, or None (see `CardinalityLimiter`)."""
        hashes = series_hashes(descriptor, attributes)
        if self._admitted.is_full(hashes.metric) and self._admitted.start_of(hashes) is None:
            return None
        self._admitted.add(hashes, start_time_ns or time.time_ns())
        return self._admitted.start_of(hashes)

    def admitted_crcs(self, descriptor: Descriptor) -> Collection[int] | None:
        """See `CardinalityLimiter`."""
        return self._admitted.crcs(metric_hash(descriptor))


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
        self._lock = ReentrantLock()

    def admit(
        self, descriptor: Descriptor, attributes: Attributes, start_time_ns: int | None = None
    ) -> int | None:
        """Return the start time of the series, or None (see `CardinalityLimiter`). Raises OSError."""
        hashes = series_hashes(descriptor, attributes)
        with self._lock:
            self._read_new_entries()
            start = self._admitted.start_of(hashes)
            if start is None and not self._admitted.is_full(hashes.metric):
                start = start_time_ns or time.time_ns()
                self._append(hashes, start)
                self._read_new_entries()
                self._admitted.add(hashes, start)  # in case a damaged log does not have it
                start = self._admitted.start_of(hashes)
            return start

    def admitted_crcs(self, descriptor: Descriptor) -> Collection[int] | None:
        """See `CardinalityLimiter`."""
        with self._lock:
            return self._admitted.crcs(metric_hash(descriptor))

    def move_to(self, descriptor: int) -> None:
        """Go on in another log, because somebody has deleted this one. Closes ``descriptor``. Raises OSError.

        Writes what the new log lacks. An entry that several workers write counts once.
        """
        with self._lock, file_locks.closing(descriptor):
            os.dup2(descriptor, self._descriptor, inheritable=False)
            self.watch.restart()
            known, self._admitted, self._read_offset = self._admitted, AdmittedSeries(self._limit), 0
            self._read_new_entries()
            for hashes, start in known:
                if self._admitted.start_of(hashes) is None:
                    self._append(hashes, start)
                    self._admitted.add(hashes, start)

    def _append(self, hashes: SeriesHashes, start: int) -> None:
        metric, series, crc = hashes
        entry = _ENTRY.pack(metric, series, start, crc, _checksum(hashes, start))
        if os.write(self._descriptor, entry) != _ENTRY.size:
            raise OSError("an entry of the log of admitted attribute sets was only written in part")

    def _read_new_entries(self) -> None:
        while data := os.pread(self._descriptor, 1 << 16, self._read_offset):
            length = len(data) - len(data) % _ENTRY.size
            for metric, series, start, crc, checksum in _ENTRY.iter_unpack(data[:length]):
                hashes = SeriesHashes(metric, series, crc)
                if checksum == _checksum(hashes, start):
                    self._admitted.add(hashes, start)
            self._read_offset += length
            if not length:
                break


class AdmittedSeries:
    """The admitted attribute sets by metric. The first ones up to the limit are admitted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._starts: dict[bytes, dict[bytes, tuple[int, int]]] = {}
        """By metric and series: the start time and the CRC."""

    def add(self, hashes: SeriesHashes, start: int) -> None:
        """Add an entry of the log. Ignores entries past the limit and second entries of a set."""
        starts = self._starts.setdefault(hashes.metric, {})
        if len(starts) < self._limit:
            starts.setdefault(hashes.series, (start, hashes.crc))

    def __iter__(self) -> Iterator[tuple[SeriesHashes, int]]:
        """Yield each admitted series with its start time."""
        for metric, starts in self._starts.items():
            for series, (start, crc) in starts.items():
                yield SeriesHashes(metric, series, crc), start

    def start_of(self, hashes: SeriesHashes) -> int | None:
        """Return the start time of an admitted series, or None if the series is not admitted."""
        found = self._starts.get(hashes.metric, {}).get(hashes.series)
        return found[0] if found else None

    def is_full(self, metric: bytes) -> bool:
        """Whether the metric has reached the limit."""
        return len(self._starts.get(metric, ())) >= self._limit

    def crcs(self, metric: bytes) -> Collection[int] | None:
        """Return the CRCs of all series of a metric that has reached the limit; None if it has not."""
        if not self.is_full(metric):
            return None
        return frozenset(crc for _, crc in self._starts[metric].values())


def series_hashes(descriptor: Descriptor, attributes: Attributes) -> SeriesHashes:
    """Return what names a series in the log."""
    try:
        crc = quick_crc(attributes)
    except ValueError:
        crc = 0
    return SeriesHashes(metric_hash(descriptor), _digest(attributes_key(attributes)), crc)


def quick_crc(items: Iterable[tuple[object, object]]) -> int:
    """Return a CRC-32 of attributes in any order.

    Raises ValueError unless they are as they are after normalization: short, plain and valid strings.
    """
    crc = 0
    for name, value in items:
        if type(name) is not str or type(value) is not str or not name:
            raise ValueError("not a plain string")
        text = f"{name}\0{value}"
        if len(text) > _MAX_LENGTH:
            raise ValueError("a long string")
        crc ^= crc32(text.encode())  # UnicodeEncodeError is a ValueError
    return crc


def metric_hash(descriptor: Descriptor) -> bytes:
    """Return a hash of the metric."""
    shape = (descriptor.kind.value, descriptor.unit, descriptor.bounds)
    return _digest((metric_key(descriptor), shape))


def _digest(value: object) -> bytes:
    return blake2b(_text(value), digest_size=8).digest()


def _text(value: object) -> bytes:
    # repr is exact for the strings, numbers and tuples in here, and it is the same in every process.
    return repr(value).encode("utf-8", "backslashreplace")


def _checksum(hashes: SeriesHashes, start: int) -> bytes:
    metric, series, crc = hashes
    data = metric + series + start.to_bytes(8, "little") + crc.to_bytes(4, "little")
    return blake2b(data, digest_size=4, salt=b"dualmtrx").digest()
