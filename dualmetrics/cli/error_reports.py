"""What the user sees when a command fails, and the exit status that the failure has."""

from __future__ import annotations

import io
import sys
import traceback as tracebacks
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from dualmetrics.cli.exit_statuses import FAILED, OUTPUT_CLOSED, UNEXPECTED, CommandError
from dualmetrics.cli.streams import discard_unwritten, print_text
from dualmetrics.runtime.printable import printable, printable_lines

OUR_CODE = Path(__file__).parent.parent


@contextmanager
def report_failures(*, traceback: bool = False) -> Iterator[None]:
    """Turn what click does not know into its own errors, and what nobody expects into a short report."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        _discard_output()
        raise SystemExit(OUTPUT_CLOSED) from None
    except OSError as error:
        _discard_output()
        raise CommandError(describe_os_error(error)) from error
    except Exception as error:
        _report_bug(error, traceback=traceback)
        raise SystemExit(UNEXPECTED) from None


def describe_os_error(error: OSError) -> str:
    """Return what went wrong, and with which file, without the number of the error."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


def show_error(error: click.ClickException) -> int:
    """Print an error, with the usage if that was wrong. Returns the exit status."""
    text = io.StringIO()
    error.show(file=text)
    print_error(text.getvalue())
    if isinstance(error, CommandError):
        return error.status
    return FAILED if error.exit_code == 1 else error.exit_code  # 1 is click's default, and a verdict of ours


def _report_bug(error: Exception, *, traceback: bool) -> None:
    if traceback:
        print_error("".join(tracebacks.format_exception(error)))
    frames = tracebacks.extract_tb(error.__traceback__)
    place = next(
        (frame for frame in reversed(frames) if OUR_CODE in Path(frame.filename).parents), frames[-1]
    )
    where = f"{Path(place.filename).name}, line {place.lineno}"
    print_error(
        f"Error: unexpected {type(error).__name__} in {where}: {printable(str(error))}\n"
        "This is a bug of dualmetrics. Please report it with the command that you ran;"
        " `dualmetrics --traceback COMMAND` shows where it happened.\n"
    )


def print_error(text: str) -> None:
    """Print text on standard error, if anybody reads that."""
    with suppress(OSError):
        print_text(printable_lines(text).rstrip("\n"), err=True)


def _discard_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        discard_unwritten(stream)
