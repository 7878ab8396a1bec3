"""Imports sums in the calling thread, before a fork and at exit."""

from __future__ import annotations

import time

from dualmetrics.bridges.collector_reader import CollectorReader
from dualmetrics.bridges.collector_readers import CollectorReaders
from dualmetrics.bridges.read_loop import MAX_WAIT
from dualmetrics.runtime import forking


class SumImporter:
    """Imports the sums that a fork or an exit would otherwise count twice or lose.

    What was counted before a fork belongs to the parent: it is imported first, so that the child can tell
    its own counts from those that it inherits. All readers are held during the fork: the child would
    inherit a lock that a running read holds, and nobody could release it.
    """

    def __init__(self, readers: CollectorReaders) -> None:
        self.active = False
        """Whether an import is running."""
        self._readers = readers
        self._held: list[CollectorReader] = []
        forking.register(self)

    def import_sums(self) -> None:
        """Import the sums of all collectors, except those that another thread is reading."""
        readers = self._held or [reader for reader in self._readers.current() if reader.hold()]
        try:
            self._import(readers)
        finally:
            if readers is not self._held:
                _release(readers)

    def before_fork(self) -> None:
        """Hold all readers and import their sums. A reader that is busy for `MAX_WAIT` is left out."""
        deadline = time.monotonic() + MAX_WAIT
        for reader in self._readers.current():
            if reader.hold(timeout=max(0.0, deadline - time.monotonic())):
                self._held.append(reader)
        self._import(self._held)

    def after_fork_in_parent(self) -> None:
        """Release the readers."""
        _release(self._held)
        self._held = []

    def after_fork_in_child(self) -> None:
        """The child's readers have new locks."""
        self._held = []

    def _import(self, readers: list[CollectorReader]) -> None:
        self.active = True
        try:
            for reader in readers:
                if reader.collector.keeps_sums:
                    reader.import_sums()
        finally:
            self.active = False


def _release(readers: list[CollectorReader]) -> None:
    for reader in readers:
        reader.release()
