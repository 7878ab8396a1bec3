"""The paths of which nothing is recorded, and the one that is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class PathSettings(Protocol):
    """What of the `Settings` is needed here. ``exclude`` holds the metrics path too, if there is a page."""

    @property
    def prometheus_path(self) -> str: ...

    @property
    def exclude(self) -> tuple[str, ...]: ...


class PathFilter:
    """The metrics path, and the excluded ones: exact, or with a trailing ``*`` the beginning of others.

    ``wsgi`` compares with PATH_INFO, in which each byte of the UTF-8 is one character (PEP 3333).
    """

    def __init__(self, settings: PathSettings, *, wsgi: bool = False) -> None:
        page, *exclude = (
            _wsgi(path) if wsgi else path for path in (settings.prometheus_path, *settings.exclude)
        )
        self.page = page
        self._exact = frozenset(path for path in exclude if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in exclude if path.endswith("*"))
        self.excluded: Callable[[str], bool] = self._excluded if self._prefixes else self._exact.__contains__
        """Whether nothing of a path is recorded. Asked at each request."""

    def _excluded(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)


def _wsgi(path: str) -> str:
    return path.encode().decode("latin-1")
