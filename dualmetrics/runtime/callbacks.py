"""Callbacks that do not keep the objects they belong to alive."""

from __future__ import annotations

import contextlib
import inspect
import weakref
from collections.abc import Callable

Callback = Callable[[], None]


class WeakCallbacks:
    """A list of functions to call. A bound method is dropped when its object is garbage collected."""

    def __init__(self) -> None:
        self._references: list[Callable[[], Callback | None]] = []

    def add(self, callback: Callback) -> None:
        """Call ``callback`` from now on."""
        if inspect.ismethod(callback):
            self._references.append(weakref.WeakMethod(callback))
        else:
            self._references.append(lambda: callback)

    def __call__(self) -> None:
        """Call all callbacks whose objects still exist, and forget the others."""
        for reference in list(self._references):
            callback = reference()
            if callback is not None:
                callback()
            else:
                with contextlib.suppress(ValueError):  # another thread has removed it
                    self._references.remove(reference)
