"""Plots of the questions ``growth_*``: how costs grow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.question import load_question
from benchmarks.results import Result

PLOTS = {
    "growth_series": ("record", "page", "push"),
    "growth_workers": ("warm", "cold"),
    "growth_routes": ("",),
}
"""The columns of each plot, by question."""


def draw(results: Mapping[str, Result], directory: Path) -> None:
    """Write an SVG for each of these questions that has a result. Raises ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "dualmetrics", "svg.fonttype": "none", "font.size": 9})
    for name, columns in PLOTS.items():
        if name in results:
            figure = _figure(results[name], columns)
            figure.savefig(directory / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})


def _figure(result: Result, columns: tuple[str, ...]) -> Any:
    from matplotlib.figure import Figure

    question = load_question(result.question)
    figure = Figure(figsize=(4 * len(columns) + 1, 3.2))
    for axes, column in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True):
        for contestant in question.contestants:
            points = _points(result, contestant.name, column)
            axes.plot(*zip(*points, strict=True), marker="o", label=contestant.name) if points else None
        axes.set(xscale="log", yscale="log", xlabel=question.case, ylabel=question.unit, title=column)
    axes.legend(fontsize=7)
    figure.suptitle(question.title, y=1.05)
    return figure


def _points(result: Result, contestant: str, column: str) -> list[tuple[int, float]]:
    return [
        (row.case, row.columns[column]["median"])
        for row in result.measurements
        if row.contestant == contestant and column in row.columns
    ]
