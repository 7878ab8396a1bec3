"""The identity that all workers of a group share."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid

from dualmetrics.runtime import file_locks
from dualmetrics.workers.directory import Directory, write_all


class GroupIdentity:
    """What the workers of a group share from the first one on: its id, its start, its instance id.

    Raises ValueError if that is damaged.
    """

    def __init__(self, text: bytes) -> None:
        data = json.loads(text)
        if not isinstance(data, dict) or not data.keys() >= {"group", "instance", "start"}:
            raise ValueError("this is no group's identity")
        self.group_id = bytes.fromhex(str(data["group"]))
        self.instance_id = str(data["instance"])
        self.start_time_ns = int(str(data["start"]))
        if len(self.group_id) != 16:
            raise ValueError("a group's identity has 16 bytes")


def _new_identity() -> dict[str, object]:
    """What the first worker of a group writes down."""
    return {"group": uuid.uuid4().hex, "instance": str(uuid.uuid4()), "start": time.time_ns()}


def load_or_create_identity(directory: Directory) -> GroupIdentity:
    """The group's identity, made by whoever comes first. Raises OSError, ValueError if it is damaged."""
    temporary = f".group-{uuid.uuid4().hex}"
    with contextlib.suppress(FileNotFoundError):
        return GroupIdentity(directory.read("group"))
    try:
        with file_locks.closing(
            directory.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        ) as descriptor:
            write_all(descriptor, json.dumps(_new_identity()).encode())
        with contextlib.suppress(FileExistsError):
            directory.link(temporary, "group")
    finally:
        directory.unlink(temporary)
    return GroupIdentity(directory.read("group"))
