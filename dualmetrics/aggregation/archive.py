"""Folding: the totals of dead workers move into the archive of the group, and their files go.

The new archive is written beside the old one, lists the files that it contains, and replaces the old one by
``rename``; then these files are removed. Until the rename nothing has happened, and after it the files are
known to be contained: a crash at any instant neither loses nor doubles anything. So the cost of a scrape
depends on the workers that live, not on all that ever lived.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from dualmetrics.aggregation.group_contents import FileContents, GroupContents
from dualmetrics.aggregation.group_reader import GroupReader
from dualmetrics.aggregation.merging import ExponentialTotals, merge_sources
from dualmetrics.aggregation.series import Series
from dualmetrics.aggregation.totals_file import SeriesTotal, encode_totals
from dualmetrics.model.descriptor import Descriptor, Kind, metric_key
from dualmetrics.model.snapshot import Exemplars
from dualmetrics.storage import exemplar_slots, file_format
from dualmetrics.storage.file_format import DAMAGED, HEADER, Header
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import (
    ADMITTED_SERIES,
    ARCHIVE,
    DAMAGED_PREFIX,
    DELTA_BASELINE,
    DELTA_IN_DOUBT,
    FOLD_LOCK,
    TEMPORARY_PREFIX,
    slot_number,
)
from dualmetrics.workers.group_files import GroupFiles
from dualmetrics.workers.liveness import has_live_owner

_ABANDONED_SECONDS = 60.0
"""The age at which a temporary file is taken for the remains of a writer that died."""


def fold(
    directory: Directory,
    reader: GroupReader,
    own_file_id: bytes | None,
    declared: Mapping[Descriptor, int],
    on_replaced: Callable[[Descriptor], None] = lambda descriptor: None,
) -> bool:
    """Fold the dead workers, unless there are none or another process is folding.

    ``declared`` are the descriptors of this process with the time (ns) of their declaration. ``on_replaced``
    is called for each metric that is dropped because a newer worker declares it differently. Return whether
    files were folded or removed. Raises OSError, and has then changed nothing.
    """
    with directory.locked(FOLD_LOCK) as is_mine:
        if not is_mine:
            return False
        contents = reader.read_once(own_file_id)
        if contents.skipped.get(ARCHIVE, DAMAGED[0]) not in DAMAGED:
            return False  # an archive of a later version, or unreadable for the moment: it has to stay
        dead = [file for file in contents.files if not file.alive]
        if dead:
            current = newest_descriptors(contents.declared(), declared)
            for replaced in contents.declared().keys() - current.keys():
                on_replaced(replaced)
            _remove_remains(directory, contents)
            directory.replace(ARCHIVE, _encode(contents, current))
            reader.files.archive_replaced()
        for file in dead + contents.leftovers:
            _remove(reader.files, file)
        return bool(dead or contents.leftovers)


def _remove(files: GroupFiles, folded: FileContents) -> None:
    if folded.deleted is None:
        files.remove(folded.name, folded.header.file_id)
    else:
        files.supersede_and_close(folded.deleted)


def newest_descriptors(*declarations: Mapping[Descriptor, int]) -> dict[Descriptor, int]:
    """The descriptors in force: of each metric, those that its newest worker declared.

    A reload may change a metric's kind, unit or bounds; rows of both cannot be added.
    """
    declared = [item for mapping in declarations for item in mapping.items()]
    newest: dict[tuple[object, ...], int] = {}
    for descriptor, time_ns in declared:
        key = metric_key(descriptor)
        newest[key] = max(time_ns, newest.get(key, 0))
    return {
        descriptor: time_ns for descriptor, time_ns in declared if time_ns == newest[metric_key(descriptor)]
    }


def clear(directory: Directory, group_id: bytes) -> None:
    """Remove everything that was counted, except for the files of workers that live."""
    files = GroupFiles(directory, lambda name, reason: None)
    with directory.locked(FOLD_LOCK, 1.0):
        for name in directory.names():
            if slot_number(name) is not None and not has_live_owner(name, directory.fd):
                files.remove(name)
            elif name in (ADMITTED_SERIES, DELTA_BASELINE, DELTA_IN_DOUBT):
                directory.unlink(name)
        # Not removed: other workers would restore an archive that they have open.
        with contextlib.suppress(FileNotFoundError):
            files.keep(files.open(ARCHIVE))
        directory.replace(ARCHIVE, _archive(group_id, {uuid.uuid4().hex: 0}, (), b""))
        files.archive_replaced()


def _remove_remains(directory: Directory, contents: GroupContents) -> None:
    """Set a damaged archive aside for an inspection, and remove what writers left that died."""
    for name in directory.names():
        if name == ARCHIVE and contents.archive is None:
            directory.rename(ARCHIVE, f"{DAMAGED_PREFIX}{uuid.uuid4().hex}")
        elif _is_abandoned(directory, name):
            directory.unlink(name)


def _is_abandoned(directory: Directory, name: str) -> bool:
    """Whether it is a temporary file whose writer died. Only the holder of the fold lock writes archives."""
    is_old = name.startswith(TEMPORARY_PREFIX) and directory.age(name) > _ABANDONED_SECONDS
    return is_old or name.startswith(f"{TEMPORARY_PREFIX}{ARCHIVE}-")


def _encode(contents: GroupContents, current: Mapping[Descriptor, int]) -> bytes:
    """The bytes of the new archive: the old one and the dead workers."""
    dead = [file for file in contents.files if not file.alive]
    contained = {file.header.file_id for file in dead}
    if contents.leftovers:  # files that the old archive contains, and that were not removed yet
        contained |= contents.contained
    totals = b"".join(encode_totals(_totals(contents, current), current.__getitem__))
    return _archive(contents.all[0].header.group_id, _next_versions(contents), contained, totals)


def _next_versions(contents: GroupContents) -> dict[str, int]:
    """The version vector of the new archive.

    It tells a reader with a deleted archive whether the one that is there contains the deleted one. Usually
    the vector has one number, which counts the folds. If two archives have begun independently, because the
    directory was deleted and not all workers had noticed, the archive that contains both has two numbers.
    """
    versions: dict[str, int] = {}
    for file in contents.all:
        for line, number in file.file_index.versions.items():
            versions[line] = max(number + 1, versions.get(line, 0))
    return versions or {uuid.uuid4().hex: 0}


def _archive(
    group_id: bytes, versions: Mapping[str, int], contained: Collection[bytes], totals: bytes
) -> bytes:
    names = sorted(file_id.hex() for file_id in contained)
    body = file_format.encode_record(file_format.CONTAINS, names, 0)
    body += file_format.encode_record(file_format.ARCHIVE_VERSIONS, versions, 0) + totals
    # The identity of a superseded file is empty, and the only archive that is left may be such a file.
    group_id = uuid.uuid4().bytes if group_id == file_format.SUPERSEDED else group_id
    header = Header(group_id, uuid.uuid4().bytes, time.time_ns(), HEADER.size + len(body))
    return file_format.encode_header(header) + body


def _totals(contents: GroupContents, current: Mapping[Descriptor, int]) -> Iterator[SeriesTotal]:
    """What the archive keeps: no gauges, and no metrics that are declared differently by now."""
    dead = [file.source for file in contents.files if not file.alive]
    old = [contents.archive.source._replace(alive=False)] if contents.archive else []
    exponentials = ExponentialTotals(old + dead)
    exemplars = exemplar_slots.latest_exemplars(_exemplars_of_dead(contents))
    for series, cells in merge_sources(old + dead).items():
        descriptor = series.descriptor
        if descriptor in current and descriptor.kind is not Kind.GAUGE and not descriptor.once_per_group:
            exponential = exponentials.of(series)
            yield SeriesTotal(
                descriptor,
                series.attributes,
                series.start_time_ns,
                cells,
                exponential if exponential.total_count else None,
                exemplars.get(series, ()),
            )


def _exemplars_of_dead(contents: GroupContents) -> Iterable[tuple[Series, Exemplars]]:
    for file in contents.all:
        if file is contents.archive or not file.alive:
            yield from file.file_index.exemplars(file.data)
