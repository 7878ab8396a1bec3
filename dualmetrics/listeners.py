"""Callbacks that do not keep their owners alive."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable

Listener = Callable[[], None]


class Listeners:
    """Functions to call; a bound method is forgotten when its object is."""

    def __init__(self) -> None:
        self._references: list[Callable[[], Listener | None]] = []

    def add(self, listener: Listener) -> None:
        """Call ``listener`` from now on."""
        if inspect.ismethod(listener):
            self._references.append(weakref.WeakMethod(listener))
        else:
            self._references.append(lambda: listener)

    def __call__(self) -> None:
        """Call all that are still there."""
        listeners = [(reference, reference()) for reference in list(self._references)]
        self._references = [reference for reference, listener in listeners if listener is not None]
        for _, listener in listeners:
            if listener is not None:
                listener()
