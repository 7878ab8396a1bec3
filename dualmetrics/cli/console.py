"""How the commands print: text as it is, in tables that suit a terminal, a pipe and a file."""

from __future__ import annotations

from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

from dualmetrics.runtime.printable import printable

UNWRAPPED_COLUMNS = 100_000
"""The width of what is no terminal: nothing is wrapped there, so that each row stays one line."""


class PlainConsole(Console):
    """A console that takes no text for markup, and wraps lines only on a terminal."""

    def __init__(self, *, stderr: bool = False, file: IO[str] | None = None) -> None:
        super().__init__(stderr=stderr, file=file, markup=False, emoji=False, highlight=False)
        if not self.wraps:
            self.width = UNWRAPPED_COLUMNS

    @property
    def wraps(self) -> bool:
        """Whether the output is a terminal, whatever the environment says about colors."""
        return self.file.isatty()

    def on_broken_pipe(self) -> None:
        """Raise the error, because rich would exit with the status of a verdict."""
        raise  # noqa: PLE0704  # rich calls this while it handles the error


class SeriesCell:
    """A series in one line if it fits, else its name in a line of its own, above the labels."""

    def __init__(self, name: str, labels: str) -> None:
        self._parts = (name, labels) if labels else (name,)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = Text("".join(self._parts))
        yield line if line.cell_len <= options.max_width else Text("\n".join(self._parts), overflow="fold")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        words = Measurement.get(console, options, Text("\n".join(self._parts)))
        return Measurement(words.minimum, Text("".join(self._parts)).cell_len).with_maximum(options.max_width)


def make_table(*columns: Column | str, **options: Any) -> Table:
    """Create a table that fits 80 columns. Cells are folded where they do not fit, never cut."""
    folding = [Column(header=each) if isinstance(each, str) else each for each in columns]
    for column in folding:
        column.overflow = "fold"
    return Table(*folding, show_edge=False, pad_edge=False, title_justify="left", **options)


def plain(text: object, style: str = "") -> Text:
    """Return text of others as it may be printed."""
    return Text(printable(str(text)), style)
