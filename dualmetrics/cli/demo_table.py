"""Sent, shown and received, side by side."""

from __future__ import annotations

from typing import NamedTuple

from rich.table import Column, Table

from dualmetrics.cli.samples import Sample, Samples

MOVING = "system_memory_usage_bytes"
"""A gauge of the host: read for the page and for the push at different times, so shown and not judged."""

ELSEWHERE = ("dualmetrics_", "target_info", "system_")
"""Left out: what dualmetrics says of its own work, and the host's other metrics, many and always moving."""


class SeriesComparison(NamedTuple):
    """One series; None where a side does not have it, or is not asked."""

    series: Sample
    sent: float | None
    page: float | None
    received: float | None
    moving: bool

    @property
    def equal(self) -> bool:
        """Whether all sides that know of the series agree."""
        if self.moving:
            return self.page is not None
        known = [value for value in (self.sent, self.page, self.received) if value is not None]
        return self.page is not None and len(set(known)) == 1


def compare_sides(sent: Samples, page: Samples, received: Samples | None) -> list[SeriesComparison]:
    """A line a series of the app, buckets left to their count and sum unless they differ.

    Without ``received`` (a Collector that cannot be asked) only what was sent and the page are compared.
    """
    names = {**sent, **page, **(received or {})}
    found = [name for name in names if name.name == MOVING or not name.name.startswith(ELSEWHERE)]
    lines = [_line(series, sent, page, received) for series in sorted(found)]
    return [line for line in lines if not line.series.name.endswith("_bucket") or not line.equal]


def _line(series: Sample, sent: Samples, page: Samples, received: Samples | None) -> SeriesComparison:
    moving = series.name == MOVING
    other = None if received is None else received.get(series, float("nan"))
    return SeriesComparison(series, sent.get(series), page.get(series), other, moving)


def comparison_table(title: str, lines: list[SeriesComparison], asked: bool) -> Table:
    """The lines as a table; ``asked`` says whether what a Collector received is known."""
    series = Column("series", overflow="fold")
    found = Table(series, "sent", "page", "OTLP", "", title=title, title_justify="left")
    for line in lines:
        verdict = "moves" if line.moving else "equal" if line.equal else "[bold red]DIFFERENT[/]"
        found.add_row(
            str(line.series),
            _number(line.sent),
            _number(line.page),
            _number(line.received) if asked else "not asked",
            verdict,
        )
    return found


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"
