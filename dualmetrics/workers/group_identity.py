"""The identity of a worker group, which all its workers share."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid

from dualmetrics.runtime import file_locks
from dualmetrics.workers.directory import Directory, write_all
from dualmetrics.workers.file_names import GROUP_IDENTITY, TEMPORARY_PREFIX


class GroupIdentity:
    """The id of a group, its ``service.instance.id``, and its start time in nanoseconds since the epoch.

    The first worker creates it. Raises ValueError if the JSON text is damaged.
    """

    def __init__(self, text: bytes) -> None:
        data = json.loads(text)
        if not isinstance(data, dict) or not data.keys() >= {"group", "instance", "start"}:
            raise ValueError(
                "the identity of the worker group is damaged: it needs group, instance and start"
            )
        self.group_id = bytes.fromhex(str(data["group"]))
        self.instance_id = str(data["instance"])
        self.start_time_ns = int(str(data["start"]))
        self.restored_at = float(str(data.get("restored", 0)))
        """When (seconds since the epoch) it was written again because the directory was deleted; else 0."""
        self._data = data
        if len(self.group_id) != 16:
            raise ValueError("the identity of the worker group is damaged: the id must have 16 bytes")

    def text(self, restored_at: float) -> bytes:
        """The text to write where the identity was deleted."""
        return json.dumps({**self._data, "restored": restored_at}).encode()


def load_or_create_identity(directory: Directory) -> GroupIdentity:
    """Return the identity of the group. The first worker creates it.

    Raises OSError, or ValueError if the identity is damaged.
    """
    with contextlib.suppress(FileNotFoundError):
        return GroupIdentity(directory.read(GROUP_IDENTITY))
    identity = {"group": uuid.uuid4().hex, "instance": str(uuid.uuid4()), "start": time.time_ns()}
    write_identity(directory, json.dumps(identity).encode())
    return GroupIdentity(directory.read(GROUP_IDENTITY))


def write_identity(directory: Directory, text: bytes) -> bool:
    """Write an identity, unless there is one. Return whether it was written. Raises OSError."""
    temporary = f"{TEMPORARY_PREFIX}{GROUP_IDENTITY}-{uuid.uuid4().hex}"
    try:
        file = directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        with file_locks.closing(file) as descriptor:
            write_all(descriptor, text)
        directory.link(temporary, GROUP_IDENTITY)
    except FileExistsError:  # another worker was faster
        return False
    finally:
        directory.unlink(temporary)
    return True
