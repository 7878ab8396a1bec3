"""The plots: what a request costs beside the peers, and what grows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.question import load
from benchmarks.results import Result

BARS = ("asgi", "wsgi", "fastapi")
LINES = {
    "growth_series": ("record", "page", "push"),
    "growth_workers": ("warm", "cold"),
    "growth_routes": ("",),
}


def draw(results: Mapping[str, Result], directory: Path) -> None:
    """An SVG for each of these questions that has a result. Raises ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "dualmetrics", "svg.fonttype": "none", "font.size": 9})
    for name in (*BARS, *LINES):
        if name in results:
            figure = _bars(results[name]) if name in BARS else _lines(results[name], LINES[name])
            figure.savefig(directory / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})


def _bars(found: Result) -> Any:
    from matplotlib.figure import Figure

    question = load(found.question)
    bare = found.find(question.base, 0).columns[""]["median"]
    costs = {
        row.contestant: row.columns[""]["median"] - bare
        for row in found.rows
        if row.columns and row.contestant != question.base
    }
    figure = Figure(figsize=(8, 0.35 * len(costs) + 1))
    axes = figure.subplots()
    colours = ["tab:orange" if name.startswith("ours") else "tab:gray" for name in costs]
    bars = axes.barh(list(costs), list(costs.values()), color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.invert_yaxis()
    axes.set_xlabel(f"{question.unit}, added to bare ({bare:.1f})")
    axes.set_title(question.title)
    return figure


def _lines(found: Result, columns: tuple[str, ...]) -> Any:
    from matplotlib.figure import Figure

    question = load(found.question)
    figure = Figure(figsize=(4 * len(columns) + 1, 3.2))
    for axes, column in zip(figure.subplots(1, len(columns), squeeze=False)[0], columns, strict=True):
        for contestant in question.contestants:
            points = _points(found, contestant.name, column)
            axes.plot(*zip(*points, strict=True), marker="o", label=contestant.name) if points else None
        axes.set(xscale="log", yscale="log", xlabel=question.case, ylabel=question.unit, title=column)
    axes.legend(fontsize=7)
    figure.suptitle(question.title, y=1.05)
    return figure


def _points(found: Result, contestant: str, column: str) -> list[tuple[int, float]]:
    return [
        (row.case, row.columns[column]["median"])
        for row in found.rows
        if row.contestant == contestant and column in row.columns
    ]
