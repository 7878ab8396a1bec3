"""Calls a function when a module was imported, so that no framework is imported only to be prepared."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_callbacks: dict[str, Callable[[], None]] = {}


def when_imported(name: str, callback: Callable[[], None]) -> None:
    """Call ``callback`` once, when the module was imported; now, if it is imported already."""
    if is_imported(name):
        callback()
        return
    _callbacks[name] = callback
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def forget(name: str) -> None:
    """Call nothing when the module is imported."""
    _callbacks.pop(name, None)


def is_imported(name: str) -> bool:
    """Whether a module was imported to its end."""
    spec = getattr(sys.modules.get(name), "__spec__", None)
    return spec is not None and not getattr(spec, "_initializing", False)


class CallbackFinder(MetaPathFinder):
    """Finds nothing itself, but has what others find call back."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module with the other finders."""
        if name not in _callbacks:
            return None
        for finder in sys.meta_path:
            find: Any = getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find and finder is not self else None
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = CallingLoader(spec.loader)
                return spec
        return None


class CallingLoader(Loader):
    """The loader of a module, which calls back when it has executed the module."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        """Everything else is that of the loader."""
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Create the module."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module, which then looks as if it had been imported without this loader."""
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        callback = _callbacks.pop(module.__name__, None)
        if callback is not None:
            callback()


_finder = CallbackFinder()
