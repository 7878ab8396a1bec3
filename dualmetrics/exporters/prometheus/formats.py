"""The formats of the page, the one for everybody first."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol

from dualmetrics.exporters.prometheus.families import PageFamily, Report
from dualmetrics.exporters.prometheus.labels import Labels
from dualmetrics.exporters.prometheus.openmetrics import OpenMetrics
from dualmetrics.exporters.prometheus.text import Text


class Writer(Protocol):
    """Writes pages, and may remember what helps with the next."""

    def write(self, families: Iterable[PageFamily], labels: Labels) -> list[bytes]: ...


class Format(Protocol):
    """One format: what it is called in HTTP, which names a family takes in it, and who writes it."""

    @property
    def media_type(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    def claims(self, family: PageFamily) -> Collection[str]: ...
    def writer(self, report: Report) -> Writer: ...


FORMATS: tuple[Format, ...] = (Text(), OpenMetrics())
