"""A series as text: its name, and its labels in braces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dualmetrics.runtime.printable import printable

_SPECIAL = frozenset(' ",')
"""A value that contains one of these is quoted, so that it cannot be taken for several values."""


def labels_text(labels: Iterable[tuple[str, Any]]) -> str:
    """Return the labels as ``{name=value, name=value}``, or an empty string if there are none."""
    pairs = ", ".join(f"{value_text(name)}={value_text(value)}" for name, value in labels)
    return f"{{{pairs}}}" if pairs else ""


def value_text(value: Any) -> str:
    """Return a value on one line, in quotes if it is empty or could be taken for several values."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(value_text, value))}]"
    text = str(value)
    if text and text.isprintable() and not _SPECIAL & set(text):
        return text
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(quoted)}"'
