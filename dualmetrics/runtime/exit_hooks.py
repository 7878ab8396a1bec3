"""The end of a process that multiprocessing started."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.util import Finalize

_finalizer: Finalize | None = None


def register_multiprocessing_exit(function: Callable[[], None]) -> None:
    """Call ``function`` when this process ends, if multiprocessing started it: forked, it runs no ``atexit``.

    Such a child forgets the finalizers of its parent, so each process has to ask when it begins its work.
    """
    global _finalizer
    if multiprocessing.parent_process() is None:
        return
    if _finalizer is None or not _finalizer.still_active():
        _finalizer = Finalize(None, function, exitpriority=0)
