"""The durations of both variants."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.durations import format_duration
from dualmetrics.experiments.report.svg import STAND_INS, WIDTH, drawing_style, shorten, themed_svg
from dualmetrics.experiments.statistics.arrays import Array

STYLES = (("baseline", "o", "-"), ("candidate", "s", "--"))


def plot_latency(comparison: Comparison, description: str) -> str:
    """Plot the share of requests slower than each bucket bound, for both variants."""
    with drawing_style():
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axis = figure.subplots()
        lines = []
        for counts, (color, marker, style) in zip(comparison.evidence.total, STYLES, strict=True):
            bounds, share = _share_above(comparison.evidence.bounds, counts.durations.sum(axis=0))
            seconds = bounds / comparison.names.per_second
            lines += axis.plot(
                seconds, share, color=STAND_INS[color], marker=marker, markersize=4, linestyle=style
            )
        _scales(axis)
        legend = figure.legend(lines, [color for color, _, _ in STYLES], loc="outside lower left", ncols=2)
        names = comparison.question.baseline, comparison.question.candidate
        for text, name in zip(legend.get_texts(), names, strict=True):
            text.set_text(shorten(name))  # as a label, a name that begins with _ would be left out
        return themed_svg(figure, description)


def _scales(axis: Axes) -> None:
    axis.set(xscale="log", yscale="log", xlabel="took longer than", ylabel="share of the requests")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: format_duration(seconds)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share * 100:.4g} %"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.yaxis.set_major_locator(LogLocator(numticks=8))
    axis.grid(visible=True, which="major", alpha=0.25)


def _share_above(bounds: Array, counts: Array) -> tuple[Array, Array]:
    """Return the bounds with the share of values above them. Shares of 0 cannot be on a log scale."""
    share = 1 - counts.cumsum()[:-1] / max(counts.sum(), 1)
    positive: Array = share > 1e-9
    return bounds[positive], share[positive]
