"""Decides by its path whether a request is recorded."""

from __future__ import annotations

from collections.abc import Callable
from re import Pattern
from typing import Protocol


class PathSettings(Protocol):
    """The part of `Settings` that this module uses.

    If there is a page, ``exclude`` includes the metrics path.
    """

    @property
    def prometheus_path(self) -> str: ...

    @property
    def exclude(self) -> tuple[str, ...]: ...

    @property
    def exclude_regex(self) -> Pattern[str] | None: ...


class PathFilter:
    """Knows the metrics path and the excluded paths.

    An excluded path is exact, or it ends with ``*`` and excludes all paths with this prefix. A regular
    expression is searched anywhere in the path. With ``wsgi``, paths are compared with PATH_INFO, where each
    byte of the UTF-8 encoding is one character (PEP 3333).
    """

    def __init__(self, settings: PathSettings, *, wsgi: bool = False) -> None:
        encode: Callable[[str], str] = _to_path_info if wsgi else str
        exclude = [encode(path) for path in settings.exclude]
        self.page = encode(settings.prometheus_path)
        self._exact = frozenset(path for path in exclude if not path.endswith("*"))
        self._prefixes = tuple(path[:-1] for path in exclude if path.endswith("*"))
        self.excluded: Callable[[str], bool] = (
            self._matches_any if self._prefixes else self._exact.__contains__
        )
        """Whether a path is excluded. Each request calls it, so without prefixes it is a plain set lookup."""
        if settings.exclude_regex is not None:
            self.excluded = _or_found(self.excluded, settings.exclude_regex, decoded if wsgi else str)

    def _matches_any(self, path: str) -> bool:
        return path in self._exact or path.startswith(self._prefixes)


def _or_found(
    excluded: Callable[[str], bool], regex: Pattern[str], decode: Callable[[str], str]
) -> Callable[[str], bool]:
    return lambda path: excluded(path) or regex.search(decode(path)) is not None


def _to_path_info(path: str) -> str:
    return path.encode().decode("latin-1")


def decoded(path: str) -> str:
    """Return a path of an environ, in which each byte of UTF-8 is one character (PEP 3333), as text."""
    return path if path.isascii() else path.encode("latin-1", "replace").decode("utf-8", "replace")
