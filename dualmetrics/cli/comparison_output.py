"""The formats of a comparison, and where they are written."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.experiment_errors import file_errors
from dualmetrics.cli.streams import print_text

if TYPE_CHECKING:
    from dualmetrics.experiments.comparison import Comparison

FORMATS = {
    "text": ("dualmetrics.cli.comparison_report", "text_report"),
    "json": ("dualmetrics.experiments.report.json_report", "json_report"),
    "markdown": ("dualmetrics.experiments.report.markdown_report", "markdown_report"),
    "html": ("dualmetrics.experiments.report.html_report", "html_report"),
    "junit": ("dualmetrics.experiments.report.junit_report", "junit_report"),
}
"""The module and the function of each format."""

ENDINGS = {
    ".txt": "text",
    ".json": "json",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".xml": "junit",
}
"""The format of a file by the ending of its name."""

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
"""GitHub Actions sets it to the file of the job summary, and shows the Markdown in it."""


class ReportFile(click.Path):
    """A file that a report can be written to. It must be known before a long wait, not after it."""

    name = "file"

    def __init__(self, *, any_ending: bool = False) -> None:
        super().__init__(dir_okay=False, writable=True)
        self._any_ending = any_ending

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path. Fails if its folder does not exist, or if its ending names no format."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not self._any_ending and path.suffix.lower() not in ENDINGS:
            self.fail(f"the ending of {value!r} must be one of {', '.join(ENDINGS)}", param, ctx)
        if not os.access(path.parent, os.W_OK | os.X_OK):
            self.fail(f"{value!r} cannot be written: its folder does not exist or is read-only", param, ctx)
        return path


def write_reports(comparisons: list[Comparison], options: Mapping[str, Any]) -> None:
    """Print the comparisons, or write them to the file that was asked for, and write the other reports.

    What is printed comes first, so that it is there even if a file cannot be written.
    """
    if options["output"] is None:
        _print(comparisons, options["form"])
    with file_errors("The report cannot be written", click.UsageError.exit_code):
        if options["output"] is not None:
            _write(options["output"], render(comparisons, options["form"]))
        for file in options["report"]:
            _write(file, render(comparisons, ENDINGS[file.suffix.lower()]))
        if options["github_summary"]:
            _append_summary(comparisons)


def _print(comparisons: list[Comparison], form: str) -> None:
    if form == "text":
        from dualmetrics.cli.comparison_report import print_report

        for comparison in comparisons:
            print_report(comparison, PlainConsole())
    else:
        click.echo(render(comparisons, form), nl=False)


def _write(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def _append_summary(comparisons: list[Comparison]) -> None:
    name = os.environ.get(SUMMARY_VARIABLE)
    if not name:
        print_text(f"{SUMMARY_VARIABLE} is not set: there is no job summary to append to.", err=True)
        return
    with Path(name).open("a", encoding="utf-8") as file:
        file.write(render(comparisons, "markdown") + "\n")


def render(comparisons: list[Comparison], form: str) -> str:
    """Return the reports about all candidates in one format. Only HTML loads the library that plots."""
    module, function = FORMATS[form]
    create: Callable[[Comparison], str] = getattr(importlib.import_module(module), function)
    reports = [create(comparison) for comparison in comparisons]
    if len(reports) == 1:
        return reports[0]
    from dualmetrics.experiments.report.several_reports import join_reports

    return join_reports(form, comparisons, reports)
