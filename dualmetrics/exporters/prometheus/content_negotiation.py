"""Which format a scraper gets: its ``Accept`` header by RFC 9110, section 12.5.1."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from dualmetrics.exporters.prometheus.format_list import FORMATS, Choice, Format
from dualmetrics.exporters.prometheus.naming.escaping import SCHEMES

_LONGEST = 8192
"""Characters of a header that are read: a client must not buy work with the length of what it sends."""


class MediaRange(NamedTuple):
    """One element of a header with q-values, in lower case. ``quality`` is 0 to 1; 0 means never."""

    name: str
    parameters: Mapping[str, str]
    quality: float


def wishes(header: str) -> Iterator[MediaRange]:
    """The elements of an ``Accept`` or ``Accept-Encoding`` header. A q that is no number counts as 1."""
    for element in header[:_LONGEST].lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        found = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
        if name:
            yield MediaRange(name, found, _quality(found.pop("q", "1")))


def choose(accept: str | None) -> Choice:
    """The format that ``accept`` likes best; the first one where it likes all alike, or none."""
    asked = [*wishes(accept or "")] or [MediaRange("*/*", {}, 1.0)]
    found = [(format_, _liking(format_, asked)) for format_ in FORMATS]
    format_, liking = max(found, key=lambda each: each[1])
    meant = [asked[-liking.place]] if liking.quality else []
    return Choice(format_, _escaping(meant + asked if format_.says_no_escaping else meant))


class Preference(NamedTuple):
    """How well liked: the q of the most specific range that fits; then how specific, and how early."""

    quality: float
    specificity: int
    place: int


def _liking(format_: Format, asked: list[MediaRange]) -> Preference:
    fits = [
        (specificity, wish.quality, -place)
        for place, wish in enumerate(asked)
        if (specificity := _specificity(format_, wish)) is not None
    ]
    specificity, quality, place = max(fits, default=(0, 0.0, 0))
    return Preference(quality, specificity, place) if quality else Preference(0.0, 0, 0)


def _specificity(format_: Format, wish: MediaRange) -> int | None:
    """None if ``wish`` is for something else. Only those parameters matter that tell formats apart."""
    if wish.name == format_.media_type:
        said = [(wish.parameters.get(name), value) for name, value in format_.parameters.items()]
        if any(given not in (None, value.lower()) for given, value in said):
            return None
        return 2 + sum(given is not None for given, _ in said)
    if wish.name == f"{format_.media_type.partition('/')[0]}/*":
        return 1
    return 0 if wish.name == "*/*" else None


def _escaping(meant: list[MediaRange]) -> str | None:
    """The first scheme that is said and known."""
    said = (wish.parameters.get("escaping") for wish in meant)
    return next((scheme for scheme in said if scheme in SCHEMES), None)


def _quality(text: str) -> float:
    quality = 1.0
    with contextlib.suppress(ValueError):
        quality = float(text)
    return min(quality, 1.0) if quality > 0 else 0.0
