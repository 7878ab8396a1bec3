"""Which format a scraper gets, by its Accept header (RFC 9110, section 12.5.1)."""

from __future__ import annotations

from typing import NamedTuple

from dualmetrics.exporters.prometheus.formats import FORMATS, OPENMETRICS, TEXT, Format

_VERSIONS = {OPENMETRICS: {"1.0.0", "0.0.1"}, TEXT: {"0.0.4"}}
"""The versions that a format answers to. OpenMetrics 0.0.1 is how Prometheus asks for what became 1.0.0."""


class Range(NamedTuple):
    """One element of the header: a media range, its parameters, its weight."""

    media: str
    parameters: dict[str, str]
    weight: float

    def fits(self, format: Format) -> int:
        """How specifically the range names the format; 0 if it does not."""
        kind = format.media_type.partition("/")[0]
        version = self.parameters.get("version")
        if self.media == format.media_type:
            if version is None:
                return 3
            return 4 if version in _VERSIONS[format] else 0
        return {"*/*": 1, f"{kind}/*": 2}.get(self.media, 0)


def choose(accept: str | None) -> Format:
    """The format with the highest weight; text where several are equal, or where none is acceptable.

    A scraper that names no format it can have gets text all the same, as from every other exporter.
    """
    ranges = [_parse(part) for part in (accept or "*/*").split(",")]
    weights = {format: _weight(format, ranges) for format in FORMATS}
    best = max(weights.values())
    return next(format for format in FORMATS if weights[format] == best) if best > 0 else TEXT


def _weight(format: Format, ranges: list[Range]) -> float:
    """The weight of the ranges that name the format most specifically; the highest of several."""
    fitting = [(range.fits(format), range.weight) for range in ranges if range.fits(format)]
    return max(fitting)[1] if fitting else 0.0


def _parse(element: str) -> Range:
    media, *parameters = [part.strip() for part in element.split(";")]
    found = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (parameter.partition("=") for parameter in parameters)
    }
    return Range(media.lower(), found, _quality(found.pop("q", "1")))


def _quality(text: str) -> float:
    """A weight from 0 to 1; what is none counts as 0."""
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
