"""Folding: what dead workers counted moves into the group's archive, and their files go.

The new archive is written beside the old one, names the files that it contains, and takes its place by
``rename``; then the files are unlinked. Until the rename nothing has happened, after it the files are
known to be contained: a crash at any instant neither loses nor doubles. The cost of a scrape therefore
depends on the workers that live, and not on those that ever lived.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping

from dualmetrics.aggregation.group_reader import ARCHIVE, FOLD, NO_DESCRIPTORS, GroupContents, GroupReader
from dualmetrics.aggregation.merging import ExponentialTotals, merge_sources
from dualmetrics.aggregation.series import Series
from dualmetrics.model.descriptor import Descriptor, Kind, metric_key
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.runtime import file_locks
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.file_format import DAMAGED, HEADER, Header
from dualmetrics.storage.regions import Cells
from dualmetrics.workers.directory import Directory, slot_number

_ABANDONED = 60.0  # seconds after which a temporary file's writer is taken to have died


def fold(
    directory: Directory,
    reader: GroupReader,
    own: bytes | None,
    declared: Mapping[Descriptor, int],
    on_replaced: Callable[[Descriptor], None] = lambda descriptor: None,
) -> bool:
    """Fold the dead, if there are any and nobody else is at it. Raises OSError, having changed nothing.

    ``own`` is the identity of this process' file, ``declared`` its descriptors and their time. Returns
    whether files were folded or removed. ``on_replaced`` is told of metrics that go, since a newer worker
    declares them differently.
    """
    with directory.locked(FOLD) as mine:
        if not mine:
            return False
        reading = reader.read_once(own)
        if reading.skipped.get(ARCHIVE, DAMAGED[0]) not in DAMAGED:
            return False  # of a later version, or not to be read just now: it must stay
        dead = [file for file in reading.files if not file.alive]
        if dead:
            keep = newest_descriptors(reading.declared(), declared)
            for replaced in reading.declared().keys() - keep.keys():
                on_replaced(replaced)
            contains = {file.header.file_id for file in dead} | _still_there(reading)
            _tidy(directory, reading)
            directory.replace(ARCHIVE, _encode(reading, keep, contains))
        for name in [file.name for file in dead] + reading.leftovers:
            directory.unlink(name)
        return bool(dead or reading.leftovers)


def newest_descriptors(*declarations: Mapping[Descriptor, int]) -> dict[Descriptor, int]:
    """The descriptors in force: of each metric those that its newest worker declared.

    A reload may bring a metric with another kind, unit or other bounds; rows of both cannot be added.
    """
    newest: dict[tuple[object, ...], int] = {}
    for descriptor, when in _items(declarations):
        key = metric_key(descriptor)
        newest[key] = max(when, newest.get(key, 0))
    found: dict[Descriptor, int] = {}
    for descriptor, when in _items(declarations):
        if when == newest[metric_key(descriptor)]:
            found[descriptor] = when
    return found


def _items(declarations: Iterable[Mapping[Descriptor, int]]) -> Iterable[tuple[Descriptor, int]]:
    return [item for mapping in declarations for item in mapping.items()]


def _tidy(directory: Directory, reading: GroupContents) -> None:
    """Keep a damaged archive for whoever wants to look at it, and remove what dying writers left."""
    for name in directory.names():
        if name == ARCHIVE and reading.archive is None:
            directory.rename(ARCHIVE, f"damaged-{uuid.uuid4().hex}")
        elif _abandoned(directory, name):
            directory.unlink(name)


def _abandoned(directory: Directory, name: str) -> bool:
    """Whether it is a temporary file whose writer died. Those of archives have one writer: who folds, we."""
    return name.startswith(f".{ARCHIVE}-") or (name.startswith(".") and directory.age(name) > _ABANDONED)


def _still_there(reading: GroupContents) -> set[bytes]:
    """Files that the old archive contains and that were not removed yet."""
    return set(reading.contained) if reading.leftovers else set()


def _encode(reading: GroupContents, keep: Mapping[Descriptor, int], contains: Iterable[bytes]) -> bytes:
    """The new archive: the old one and the dead, without gauges and without metrics no longer in force."""
    dead = [file.source for file in reading.files if not file.alive]
    old = [reading.archive.source._replace(alive=False)] if reading.archive else []
    totals = {
        series: cells
        for series, cells in merge_sources(old + dead).items()
        if _archived(series.descriptor, keep)
    }
    exponentials = ExponentialTotals(old + dead)
    group = (reading.archive or reading.files[0]).header.group_id
    exemplars = exemplar_slots.latest_exemplars(_of_dead(reading))
    body = b"".join(_records(totals, exponentials, exemplars, keep, contains))
    header = Header(group, uuid.uuid4().bytes, time.time_ns(), HEADER.size + len(body))
    return file_format.encode_header(header) + body


def _of_dead(reading: GroupContents) -> Iterable[tuple[Series, Exemplars]]:
    files = [file for file in reading.all if file is reading.archive or not file.alive]
    return (found for file in files for found in file.file_index.exemplars(file.data))


def _archived(descriptor: Descriptor, keep: Mapping[Descriptor, int]) -> bool:
    return descriptor in keep and descriptor.kind is not Kind.GAUGE and not descriptor.once_per_group


def _records(
    totals: Mapping[Series, Cells],
    exponentials: ExponentialTotals,
    exemplars: Mapping[Series, Exemplars],
    keep: Mapping[Descriptor, int],
    contains: Iterable[bytes],
) -> Iterable[bytes]:
    yield file_format.encode_record(file_format.CONTAINS, sorted(name.hex() for name in contains), 0)
    numbers: dict[Descriptor, int] = {}
    for series, cells in totals.items():
        descriptor = series.descriptor
        if descriptor not in numbers:
            number = numbers[descriptor] = len(numbers)
            body = [keep[descriptor], *file_format.descriptor_body(number, descriptor)]
            yield file_format.encode_record(file_format.DESCRIPTOR, body, 0)
        yield file_format.encode_series(numbers[descriptor], series.start_time_ns, series.attributes, cells)
        exponential = exponentials.of(series)
        if exponential.total_count:
            yield file_format.encode_exponential(exponential)
        if series in exemplars:
            size = exemplar_slots.slot_size(exemplars[series])
            filled = exemplar_slots.encode_slots(exemplars[series], size)
            named = numbers[descriptor], series.start_time_ns, series.attributes
            yield file_format.encode_exemplars(exemplar_slots.RECORD_KINDS[size], *named, filled)


def has_dead_workers(directory: Directory) -> bool:
    """Whether some worker's file has lost its owner. Raises OSError."""
    return not all(_alive(directory, name) for name in directory.worker_files())


def clear(directory: Directory) -> None:
    """Remove all that was counted, but for the files of workers that live."""
    with directory.locked(FOLD, 1.0):
        for name in directory.names():
            if name in (ARCHIVE, "admitted", "delta") or (
                slot_number(name) is not None and not _alive(directory, name)
            ):
                directory.unlink(name)


def _alive(directory: Directory, name: str) -> bool:
    try:
        with file_locks.closing(directory.open(name, os.O_RDONLY)) as descriptor:
            return file_locks.is_locked_by_other(descriptor)
    except FileNotFoundError:  # folded since the names were listed
        return True
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        return True  # no file of a worker: nothing to fold
