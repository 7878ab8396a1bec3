"""The errors of experiments as errors of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dualmetrics.cli.error_reports import describe_os_error
from dualmetrics.cli.exit_statuses import CommandError


@contextmanager
def experiment_errors() -> Iterator[None]:
    """Raise each `ExperimentError` as a `CommandError` with the same status."""
    from dualmetrics.experiments.errors import ExperimentError

    try:
        yield
    except ExperimentError as error:
        raise CommandError(str(error), error.status) from error


@contextmanager
def file_errors(what: str, status: int) -> Iterator[None]:
    """Raise each OSError as a `CommandError` that says ``what`` went wrong with which file."""
    try:
        yield
    except BrokenPipeError:  # nobody reads the output
        raise
    except OSError as error:
        raise CommandError(f"{what}: {describe_os_error(error)}.", status) from error
