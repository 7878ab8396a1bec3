"""Figures as SVG elements whose colors follow the page, in light, in dark and on paper."""

from __future__ import annotations

import io
import re
import warnings
from contextlib import AbstractContextManager

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dualmetrics.runtime.printable import printable

STAND_INS = {
    "ink": "#010101",
    "line": "#020202",
    "soft": "#080808",
    "baseline": "#030303",
    "candidate": "#040404",
    "margin": "#050505",
    "tolerated": "#060606",
    "excluded": "#070707",
}
"""Stand-ins that matplotlib can draw with. The SVG has a variable of the page's style instead."""

WIDTH = 4.6
"""Inches. The figures are that narrow so that their text can be read on a phone, too."""
MAX_NAME = 40


def drawing_style() -> AbstractContextManager[None]:
    """Return the settings under which a figure must be made and written."""
    ink, line = STAND_INS["ink"], STAND_INS["line"]
    return rc_context(
        {
            "svg.hashsalt": "dualmetrics",
            "svg.fonttype": "none",
            "font.size": 10.5,
            "text.parse_math": False,  # names of others may have dollar signs
            "text.color": ink,
            "axes.labelcolor": ink,
            "axes.edgecolor": line,
            "xtick.color": line,
            "ytick.color": line,
            "xtick.labelcolor": ink,
            "ytick.labelcolor": ink,
            "grid.color": line,
            "axes.facecolor": "none",
            "figure.facecolor": "none",
            "legend.frameon": False,
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )


def add_legend(axis: Axes, columns: int = 2) -> None:
    """Explain below the plot what is drawn."""
    handles, labels = axis.get_legend_handles_labels()
    axis.figure.legend(handles, labels, loc="outside lower left", ncols=columns, handlelength=1.6)


def shorten(name: str) -> str:
    """Return a name that leaves room for the plot. The table of the report has the whole name."""
    text = printable(name)
    return text if len(text) <= MAX_NAME else f"{text[: MAX_NAME // 2 - 1]}...{text[-MAX_NAME // 2 + 2 :]}"


def themed_svg(figure: Figure, description: str) -> str:
    """Return the figure as an SVG element whose colors and font are those of the page.

    ``description`` is for readers who do not see it; it must be escaped for HTML.
    """
    text = re.sub(r"(font:[^;\"]*px) [^;\"]*", r"\1 system-ui, sans-serif", to_svg(figure))
    for name, color in STAND_INS.items():
        text = text.replace(color, f"var(--{name})")
    return text.replace("<svg", f'<svg role="img" aria-label="{description}"', 1)


def to_svg(figure: Figure) -> str:
    """Return the figure as an SVG element that can be put into a page. Equal figures give equal text."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the reader's font draws the text
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]
