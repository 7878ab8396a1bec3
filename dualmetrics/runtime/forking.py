"""What a fork means for those that hold threads, locks, files or rows."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Told of each fork of this process, in the thread that forks."""

    def before_fork(self) -> None: ...

    def after_fork_in_parent(self) -> None: ...

    def after_fork_in_child(self) -> None: ...


_registered: weakref.WeakSet[Forkable] = weakref.WeakSet()


def register(forkable: Forkable) -> None:
    """Tell ``forkable`` of forks for as long as it exists."""
    _registered.add(forkable)


def _before() -> None:
    for forkable in list(_registered):
        forkable.before_fork()


def _in_parent() -> None:
    for forkable in list(_registered):
        forkable.after_fork_in_parent()


def _in_child() -> None:
    for forkable in list(_registered):
        forkable.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows, where there is no fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
