"""Tells objects that hold threads, locks, files or rows when this process forks."""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterable

_logger = logging.getLogger("dualmetrics")

_FAILED = "dualmetrics: %s failed; the fork goes on. Please report the traceback as an issue of dualmetrics"

_registered: list[weakref.ref[object]] = []


def register(part: object) -> None:
    """Call the fork methods of ``part`` for as long as it exists, in the thread that forks.

    A part may have ``before_fork()``, ``after_fork_in_parent()`` and ``after_fork_in_child()``; those that it
    lacks are skipped. The order is that of `os.register_at_fork`: the parts that were registered last are the
    first to hear of a coming fork, and the last to hear that it has happened. So a part may rely on
    those that it was built from. Call this at the end of ``__init__``: another thread may fork at any time.
    """
    _registered.append(weakref.ref(part, _registered.remove))


def _before() -> None:
    _call("before_fork", reversed([*_registered]))


def _in_parent() -> None:
    _call("after_fork_in_parent", [*_registered])


def _in_child() -> None:
    _call("after_fork_in_child", [*_registered])


def _call(method: str, references: Iterable[weakref.ref[object]]) -> None:
    """Call the hooks. A failure is logged but not counted, since no `Telemetry` is known here."""
    for reference in references:
        hook = getattr(reference(), method, None)
        if hook is not None:
            try:
                hook()
            except Exception:
                _logger.exception(_FAILED, method)


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
