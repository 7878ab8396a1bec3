"""Callbacks that do not keep their owners alive."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable

Callback = Callable[[], None]


class WeakCallbacks:
    """Functions to call; a bound method is forgotten when its object is."""

    def __init__(self) -> None:
        self._references: list[Callable[[], Callback | None]] = []

    def add(self, listener: Callback) -> None:
        """Call ``listener`` from now on."""
        if inspect.ismethod(listener):
            self._references.append(weakref.WeakMethod(listener))
        else:
            self._references.append(lambda: listener)

    def __call__(self) -> None:
        """Call all that are still there."""
        for reference in list(self._references):
            listener = reference()
            if listener is not None:
                listener()
            else:
                with contextlib.suppress(ValueError):  # another thread was faster
                    self._references.remove(reference)
