"""The samples of a page in the text format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(r"(?P<name>[^\s{]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


class PageSample(NamedTuple):
    """One line of the page. ``text`` is the line without its value."""

    text: str
    name: str
    labels: dict[str, str]
    value: float


def page_samples(page: str) -> Iterator[PageSample]:
    """The samples of a page whose names are all plain, as in the text format 0.0.4."""
    for line in page.split("\n"):
        match = None if line.startswith("#") else _LINE.fullmatch(line)
        if match is not None:
            labels = {name: _unescaped(value) for name, value in _LABEL.findall(match["labels"] or "")}
            yield PageSample(line.rpartition(" ")[0], match["name"], labels, float(match["value"]))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)
