"""The formats of the page: what each is called in HTTP, and what it is written with."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from dualmetrics.exporters.prometheus.families import PageFamily
from dualmetrics.exporters.prometheus.formats.openmetrics import OpenMetrics
from dualmetrics.exporters.prometheus.formats.protobuf import Protobuf
from dualmetrics.exporters.prometheus.formats.text import Text
from dualmetrics.exporters.prometheus.naming.escaping import DEFAULT
from dualmetrics.exporters.prometheus.series_writer import Dialect


class Language(Dialect, Protocol):
    """A dialect that also knows which names a family takes in it."""

    def claims(self, family: PageFamily) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """A format by its media type and the parameters that tell it from others, written in a dialect."""

    media_type: str
    parameters: Mapping[str, str]
    dialect: str
    charset: str = "; charset=utf-8"
    says_no_escaping: bool = False
    """Whether Prometheus asks for it without a scheme, and means the one that it says for the others."""

    @property
    def content_type(self) -> str:
        """What the page is called."""
        pairs = (f"; {name}={value}" for name, value in self.parameters.items())
        return f"{self.media_type}{''.join(pairs)}{self.charset}"


FORMATS = (
    Format("text/plain", {"version": "0.0.4"}, "text"),
    Format("application/openmetrics-text", {"version": "1.0.0"}, "openmetrics"),
    Format("application/openmetrics-text", {"version": "0.0.1"}, "openmetrics"),
    Format("text/plain", {"version": "1.0.0"}, "text"),
    Format(
        "application/vnd.google.protobuf",
        {"proto": "io.prometheus.client.MetricFamily", "encoding": "delimited"},
        "protobuf",
        charset="",
        says_no_escaping=True,
    ),
)
"""Of equally liked ones the first is taken, so the one for everybody comes first."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a scraper gets; ``escaping`` is the scheme that it asked for, None if it did not."""

    format: Format
    escaping: str | None = None

    @property
    def scheme(self) -> str:
        """The scheme for names that not every Prometheus takes."""
        return self.escaping or DEFAULT

    @property
    def content_type(self) -> str:
        """What the page is called; the scheme is said only to those who asked."""
        return self.format.content_type + (f"; escaping={self.escaping}" if self.escaping else "")


def languages(created: bool) -> dict[str, Language]:
    """The dialects by name."""
    return {"text": Text(), "openmetrics": OpenMetrics(created), "protobuf": Protobuf()}
