"""This process' place in its worker group: the open directory, and what is kept open in it."""

from __future__ import annotations

import os
import uuid

from dualmetrics.runtime.errors import Trouble
from dualmetrics.workers import discovery, group_directory
from dualmetrics.workers.cardinality import GroupAdmission
from dualmetrics.workers.directory import join
from dualmetrics.workers.worker_file import OwnFile


class Address:
    """How to find the group, settled when the process is young: a forked child keeps its parent's."""

    def __init__(self, explicit: str | None, label: str) -> None:
        self.explicit = explicit
        self.label = label
        self.root = None if explicit else discovery.find_root()
        self.instance = str(uuid.uuid4())  # of a process that counts alone


class Membership:
    """An open group. Raises OSError, or ValueError where the group's identity is damaged."""

    def __init__(self, address: Address, limit: int) -> None:
        self.directory = group_directory.open_group(address.explicit, address.root, address.label)
        self.identity = join(self.directory)
        log = self.directory.open("admitted", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self.admission = GroupAdmission(log, limit)
        self.file: OwnFile | None = None

    def bear(self) -> OwnFile:
        """Come to life as a worker. Raises OSError."""
        self.file = OwnFile(self.directory, self.identity.group)
        return self.file

    def die(self) -> None:
        """Give up the own file, if there is one; it is then folded like any dead worker's."""
        if self.file is not None:
            self.file.release()
            self.file = None

    def leave(self) -> None:
        """Close everything; in a forked child, the copies of what belongs to the parent."""
        self.die()
        self.admission.close()
        self.directory.close()


def enter(address: Address, limit: int, trouble: Trouble) -> Membership | None:
    """Open the group; None where that is impossible, which is said once: the process counts alone."""
    try:
        return Membership(address, limit)
    except (OSError, ValueError, RecursionError) as error:
        trouble.once("group", "dualmetrics: every process counts alone, no worker group: %s", error)
        return None
