"""The parts that HTML reports are made of. All text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

from dualmetrics.runtime.printable import printable

COLORED_CELLS = ("within", "reached", "worse", "missed", "open", "ok", "waiting", "broken")
"""Cells that the style colors."""


def escape(text: str) -> str:
    """Names come from labels, which may have any character; HTML allows no control characters."""
    return html.escape(printable(text))


def make_html_list(lines: Iterable[str]) -> str:
    """Return a list with an item for each line."""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def make_html_table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table. On a narrow screen its style shows each cell in a line, after its header."""
    labels = [escape(header) for header in headers]
    head = "".join(f"<th>{label}</th>" for label in labels)
    body = "".join(f"<tr>{''.join(map(_cell, labels, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(label: str, text: str) -> str:
    state = f' class="{text}"' if text in COLORED_CELLS else ""
    return f'<td data-label="{label}"{state}>{escape(text)}</td>'
