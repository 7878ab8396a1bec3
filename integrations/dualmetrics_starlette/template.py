"""The full template of a route, with what a path must match to get there."""

from __future__ import annotations

from collections.abc import Callable
from re import Pattern
from typing import NamedTuple


class Template(NamedTuple):
    """One way to an endpoint: through mounts to a route, or to a mounted app that shows no routes.

    ``methods`` are those that the endpoint serves; None stands for all.
    """

    text: str
    patterns: tuple[Pattern[str], ...]
    methods: frozenset[str] | None = None

    def accepts(self, method: str) -> bool:
        """Whether the endpoint serves the method. If it does not, the response was a 405."""
        return self.methods is None or method in self.methods

    def matches(self, path: str) -> bool:
        """Whether ``path`` leads to the endpoint this way."""
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is None:
                return False
            path = "/" + match.groupdict().get("path", "")
        return True

    @property
    def check(self) -> Callable[[str], object]:
        """The fastest function that does the same as `matches`."""
        if len(self.patterns) > 1:
            return self.matches
        return self.patterns[0].match if "{" in self.text else self.text.__eq__


class Prefix(NamedTuple):
    """The mounts on the way to a route."""

    text: str = ""
    patterns: tuple[Pattern[str], ...] = ()
    depth: int = 0

    def join(self, text: str, pattern: Pattern[str] | None) -> Prefix:
        """The prefix inside one more mount. A host matches no part of the path, so it has no pattern."""
        patterns = self.patterns if pattern is None else (*self.patterns, pattern)
        return Prefix(self.text + text, patterns, self.depth + 1)
