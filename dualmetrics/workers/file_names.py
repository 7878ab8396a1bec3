"""The names of the files in the directory of a worker group."""

from __future__ import annotations

GROUP_IDENTITY = "group"
"""The id of the group, its start time and its ``service.instance.id``, as JSON."""

WORKER_PREFIX = "worker-"
"""Begins the name of a worker file, which has the rows of one worker. Its slot number follows."""

ARCHIVE = "archive"
"""The totals of dead workers."""

ADMITTED_SERIES = "admitted"
"""The log of the attribute sets that the cardinality limit has admitted."""

DELTA_BASELINE = "delta"
"""The last acknowledged snapshot, from which delta temporality counts."""

DELTA_IN_DOUBT = "delta-in-doubt"
"""The snapshot that is being pushed with delta temporality. Once acknowledged, it becomes the baseline."""

FOLD_LOCK = "fold"
"""An empty file. Its lock is held while dead workers are folded into the archive."""

LEADER_LOCK = "push"
"""The leader holds the lock of this file, and writes the time of the group's last push into it."""

PORT_LOCK = "port"
"""An empty file. Those that listen on PROMETHEUS_PORT share its lock."""

PUSH_OFF_LOGGED = "told-that-push-is-off"
"""An empty file. It exists if a worker of the group has logged that nothing is pushed."""

DAMAGED_PREFIX = "damaged-"
"""Begins the name of an archive that could not be read. It is kept for inspection."""

TEMPORARY_PREFIX = "."
"""Begins the name of a file that is still being written. It gets its final name once it is complete."""


def worker_file_name(slot: int) -> str:
    """Return the name of the worker file with this slot number."""
    return f"{WORKER_PREFIX}{slot}"


def slot_number(name: str) -> int | None:
    """Return the slot number in the name of a worker file, or None for any other name."""
    prefix, digits = name[: len(WORKER_PREFIX)], name[len(WORKER_PREFIX) :]
    return int(digits) if prefix == WORKER_PREFIX and digits.isascii() and digits.isdigit() else None
