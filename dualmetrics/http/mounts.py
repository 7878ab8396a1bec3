"""The prefixes at which apps are mounted in other apps of this process. They belong to the route."""

from __future__ import annotations

MAX_PREFIXES = 64
"""How many prefixes a Telemetry shows. An app may mount one for each user."""

ANY_MOUNT = "/{mount}"
"""Replaces all further prefixes."""


class MountPrefixes:
    """Decides which part of a root path belongs to the route.

    ``root_path`` is the setting: what the proxy or the server puts before all paths. None if it is not set.
    """

    def __init__(self, root_path: str | None) -> None:
        self.root_path = root_path
        self._known: set[str] = set()

    def shown(self, prefix: str) -> str:
        """Return ``prefix``, which may hold values of a client, or `ANY_MOUNT` if it is one too many."""
        if not prefix or prefix in self._known:
            return prefix
        if len(self._known) >= MAX_PREFIXES:
            return ANY_MOUNT
        self._known.add(prefix)
        return prefix

    def beyond_setting(self, root: str) -> str:
        """The part of ``root`` that mounts have added, by the setting. Empty if it is not set."""
        return beyond(root, self.root_path) if self.root_path is not None else ""


def beyond(root: str, outside: str) -> str:
    """Return what ``root`` has beyond ``outside``, if it begins with its segments; else all of it."""
    return root.removeprefix(outside) if begins_with(root, outside) else root


def begins_with(root: str, outside: str) -> bool:
    """Whether the first segments of ``root`` are those of ``outside``."""
    return root == outside or root.startswith(outside + "/")


def taken(path: str, path_inside: str, root_inside: str) -> str:
    """Return what mounts have taken from the path on its way to a router inside.

    A mount moves it to the end of the root path. What a proxy adds to the root path was never in the path,
    and what a rewriting middleware takes from the path is not in the root path.
    """
    if path == path_inside or not path.endswith(path_inside):
        return ""
    prefix = path[: len(path) - len(path_inside)]
    return prefix if root_inside.endswith(prefix) else ""
