"""Chooses the format of a page from the ``Accept`` header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from dualmetrics.exporters.prometheus.naming.escaping import DEFAULT_SCHEME, ESCAPING_SCHEMES

_MAX_HEADER_LENGTH = 8192
"""How many characters of a header are read. A client must not cause more work by sending a longer one."""


@dataclass(frozen=True, slots=True)
class PageFormat:
    """A media type with the parameters that distinguish it from other formats, and the dialect it uses.

    ``inherits_escaping``: Prometheus asks for this format without an escaping scheme, and expects the scheme
    that it names for the other formats.
    """

    media_type: str
    parameters: Mapping[str, str]
    dialect: str
    charset: str = "; charset=utf-8"
    inherits_escaping: bool = False

    @property
    def content_type(self) -> str:
        """The value of the ``Content-Type`` header, without an escaping scheme."""
        parameters = (f"; {name}={value}" for name, value in self.parameters.items())
        return f"{self.media_type}{''.join(parameters)}{self.charset}"


PAGE_FORMATS = (
    PageFormat("text/plain", {"version": "0.0.4"}, "text"),
    PageFormat("application/openmetrics-text", {"version": "1.0.0"}, "openmetrics"),
    PageFormat("application/openmetrics-text", {"version": "0.0.1"}, "openmetrics"),
    PageFormat("text/plain", {"version": "1.0.0"}, "text"),
    PageFormat(
        "application/vnd.google.protobuf",
        {"proto": "io.prometheus.client.MetricFamily", "encoding": "delimited"},
        "protobuf",
        charset="",
        inherits_escaping=True,
    ),
)
"""All formats. Of equally preferred ones the first is chosen, so the one for everybody comes first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The format that a scraper gets, and the escaping scheme that it asked for (None if it did not)."""

    format: PageFormat
    escaping: str | None = None

    @property
    def is_native(self) -> bool:
        """Whether the page can have native histograms."""
        return self.format.dialect == "protobuf"

    @property
    def scheme(self) -> str:
        """The scheme for names that some Prometheus servers do not accept."""
        return self.escaping or DEFAULT_SCHEME

    @property
    def content_type(self) -> str:
        """The value of the ``Content-Type`` header. It names the scheme only if the scraper asked for one."""
        return self.format.content_type + (f"; escaping={self.escaping}" if self.escaping else "")


DEFAULT_CHOICE = Choice(PAGE_FORMATS[0])
"""The choice for a scraper without preferences."""


class MediaRange(NamedTuple):
    """One element of an ``Accept`` header, in lower case. ``quality`` is from 0 (never) to 1."""

    name: str
    parameters: Mapping[str, str]
    quality: float


def parse_accept(header: str) -> Iterator[MediaRange]:
    """The elements of an ``Accept`` or ``Accept-Encoding`` header. A q that is not a number counts as 1."""
    for element in header[:_MAX_HEADER_LENGTH].lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        pairs = (parameter.partition("=") for parameter in parameters)
        values = {key.strip(): value.strip().strip('"') for key, _, value in pairs}
        if name:
            yield MediaRange(name, values, _quality(values.pop("q", "1")))


def negotiate(accept: str | None) -> Choice:
    """The format that the ``Accept`` header prefers; the first format if it has no preference."""
    ranges = [*parse_accept(accept or "")] or [MediaRange("*/*", {}, 1.0)]
    preferences = [(page_format, _preference(page_format, ranges)) for page_format in PAGE_FORMATS]
    page_format, preference = max(preferences, key=lambda pair: pair[1])
    matching = [ranges[-preference.place]] if preference.quality else []
    return Choice(page_format, _escaping(matching + ranges if page_format.inherits_escaping else matching))


class Preference(NamedTuple):
    """How much a format is preferred; compares in the order of the fields.

    The quality of the most specific range that matches, how specific that range is, and the negative of its
    position in the header.
    """

    quality: float
    specificity: int
    place: int


def _preference(page_format: PageFormat, ranges: list[MediaRange]) -> Preference:
    matches = [
        (specificity, media_range.quality, -position)
        for position, media_range in enumerate(ranges)
        if (specificity := _specificity(page_format, media_range)) is not None
    ]
    specificity, quality, place = max(matches, default=(0, 0.0, 0))
    return Preference(quality, specificity, place) if quality else Preference(0.0, 0, 0)


def _specificity(page_format: PageFormat, media_range: MediaRange) -> int | None:
    """How specifically the range matches the format; None if it does not.

    Only the parameters that distinguish formats count.
    """
    if media_range.name == page_format.media_type:
        pairs = [(media_range.parameters.get(name), value) for name, value in page_format.parameters.items()]
        if any(requested not in (None, value.lower()) for requested, value in pairs):
            return None
        return 2 + sum(requested is not None for requested, _ in pairs)
    if media_range.name == f"{page_format.media_type.partition('/')[0]}/*":
        return 1
    return 0 if media_range.name == "*/*" else None


def _escaping(ranges: list[MediaRange]) -> str | None:
    """The first known scheme that the ranges name."""
    schemes = (media_range.parameters.get("escaping") for media_range in ranges)
    return next((scheme for scheme in schemes if scheme in ESCAPING_SCHEMES), None)


def _quality(text: str) -> float:
    quality = 1.0
    with contextlib.suppress(ValueError):
        quality = float(text)
    return min(quality, 1.0) if quality > 0 else 0.0
