"""Makes templates of routes that an app has written as regular expressions."""

from __future__ import annotations

import functools
import re

TOKEN = re.compile(
    r"\\(?P<escaped>.)|\[(?:\\.|[^]\\])+\]|\((?P<group>\?P<\w+>|\?[a-zA-Z-]*:?|\?<?[!=]|)|.",
    re.DOTALL,
)
"""The parts of a regular expression that `readable_regex` tells apart."""

ANCHORS = frozenset("AbBZz")


@functools.lru_cache(4096)
def readable_regex(regex: str) -> str:
    r"""Return a regular expression with the names of its groups in their place.

    ``^users/(?P<id>\d+)/$`` becomes ``users/<id>/``. A group without a name becomes ``<var>``.
    """
    parts: list[str] = []
    hidden: list[bool] = []
    for token in TOKEN.finditer(regex):
        text, group = token[0], token["group"]
        if group is not None:
            if not any(hidden):
                parts.append(_group_name(group))
            hidden.append(not group.endswith(":"))
        elif text == ")" and hidden:
            hidden.pop()
        elif not any(hidden):
            parts.append(_literal(text, token["escaped"]))
    return "".join(parts)


def _group_name(group: str) -> str:
    """What stands for a group: nothing for one that captures nothing."""
    return group[2:] if group.startswith("?P") else "" if group else "<var>"


def _literal(text: str, escaped: str | None) -> str:
    """A character outside of groups. Anchors and quantifiers are left out."""
    if escaped is None:
        return "" if text in "^$?*+" else text
    return "" if escaped in ANCHORS else text if escaped.isalnum() else escaped
