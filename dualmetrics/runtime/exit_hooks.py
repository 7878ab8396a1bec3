"""Calls functions when this process ends."""

from __future__ import annotations

import atexit
import multiprocessing
from multiprocessing.util import Finalize

from dualmetrics.runtime.callbacks import Callback, WeakCallbacks

_callbacks = WeakCallbacks()
_finalizer: Finalize | None = None


def call_at_exit(callback: Callback) -> None:
    """Call ``callback`` when the interpreter exits. A bound method does not keep its object alive."""
    _callbacks.add(callback)


def cover_multiprocessing() -> None:
    """Call the registered functions also at the end of a process that `multiprocessing` started.

    A process that it forked runs none of the ``atexit`` functions of its parent. ``Finalize`` is what
    `multiprocessing` itself uses for this; it has a public name, but no documentation. A forked child forgets
    the finalizers of its parent after it has started, so every process has to ask anew when it begins to
    work.
    """
    global _finalizer
    if multiprocessing.parent_process() is None:
        return
    if _finalizer is None or not _finalizer.still_active():
        _finalizer = Finalize(None, _callbacks, exitpriority=0)


atexit.register(_callbacks)
