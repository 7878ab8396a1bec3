"""What was sent, exposed and received, side by side."""

from __future__ import annotations

from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from dualmetrics.cli.console import SeriesCell, make_table
from dualmetrics.cli.samples import Sample, Samples
from dualmetrics.cli.series_text import labels_text, value_text

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


def all_equal(compared: list[SeriesComparison]) -> bool:
    """Return whether all series are equal."""
    return all(each.equal for each in compared)


def verdict_sentence(results: list[list[SeriesComparison]], *, killed: int, is_received: bool) -> str:
    """Return how many values were compared, and whether they are equal. The page alone may be compared."""
    compared = [each for series in results for each in series if not each.moving]
    different = sum(not each.equal for each in compared)
    where = "on the page and in the push" if is_received else "on the page"
    if different:
        return (
            f"{different} of {len(compared)} values differ {where}, see DIFFERENT; {killed} workers killed."
        )
    return f"All {len(compared)} values equal {where}; {killed} workers killed, nothing lost."


def comparison_table(title: str, compared: list[SeriesComparison], *, received_known: bool) -> Table:
    """Return the series as a table. ``received_known`` says whether the received values are known."""
    table = make_table("series", "sent", "page", "OTLP", "", title=title)
    for each in compared:
        name, labels = each.series
        table.add_row(
            SeriesCell(value_text(name), labels_text(labels)),
            _number(each.sent, moving=each.moving),
            _number(each.page, moving=each.moving),
            _number(each.received, moving=each.moving) if received_known else "not known",
            _state(each),
        )
    return table


def _state(each: SeriesComparison) -> Text:
    if not each.equal:
        return Text("DIFFERENT", "bold red")
    return Text("moves" if each.moving else "equal")


def _number(value: float | None, *, moving: bool) -> str:
    if value is None:
        return ""
    return f"{value / 1e9:.3g} GB" if moving else f"{value:.8g}"
