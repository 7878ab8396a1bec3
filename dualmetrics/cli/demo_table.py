"""What was sent, exposed and received, side by side."""

from __future__ import annotations

from typing import NamedTuple

from rich.table import Column, Table

from dualmetrics.cli.samples import Sample, Samples

MOVING_METRIC = "system_memory_usage_bytes"
"""A gauge of the host. The page and the push read it at different times, so it is shown, but not compared."""

IGNORED_PREFIXES = ("dualmetrics_", "target_info", "system_")
"""The metrics of dualmetrics itself, and the other host metrics, which are many and always change."""


class SeriesComparison(NamedTuple):
    """One series. A value is None if a side does not have the series, or cannot be read."""

    series: Sample
    sent: float | None
    page: float | None
    received: float | None
    moving: bool

    @property
    def equal(self) -> bool:
        """Whether all sides that know the series agree. A moving series only has to be on the page."""
        if self.moving:
            return self.page is not None
        known = [value for value in (self.sent, self.page, self.received) if value is not None]
        return self.page is not None and len(set(known)) == 1


def compare_sides(sent: Samples, page: Samples, received: Samples | None) -> list[SeriesComparison]:
    """Compare all series of the app. Buckets are left out unless they differ.

    If ``received`` is None, because a Collector cannot be read, only what was sent and the page are compared.
    """
    all_series = {**sent, **page, **(received or {})}
    of_the_app = [
        series
        for series in all_series
        if series.name == MOVING_METRIC or not series.name.startswith(IGNORED_PREFIXES)
    ]
    compared = [_compare(series, sent, page, received) for series in sorted(of_the_app)]
    return [each for each in compared if not each.series.name.endswith("_bucket") or not each.equal]


def _compare(series: Sample, sent: Samples, page: Samples, received: Samples | None) -> SeriesComparison:
    received_value = None if received is None else received.get(series, float("nan"))
    moving = series.name == MOVING_METRIC
    return SeriesComparison(series, sent.get(series), page.get(series), received_value, moving)


def comparison_table(title: str, compared: list[SeriesComparison], *, received_known: bool) -> Table:
    """Return the series as a table. ``received_known`` says whether the received values are known."""
    series = Column("series", overflow="fold")
    table = Table(series, "sent", "page", "OTLP", "", title=title, title_justify="left")
    for each in compared:
        table.add_row(
            str(each.series),
            _number(each.sent),
            _number(each.page),
            _number(each.received) if received_known else "not known",
            "moves" if each.moving else "equal" if each.equal else "[bold red]DIFFERENT[/]",
        )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"
