"""The standard streams of the command: what they can encode, and what happens when nobody reads them."""

from __future__ import annotations

import io
import locale
import os
import sys
from contextlib import suppress
from typing import TextIO


def prepare_streams() -> None:
    """Make the standard streams accept every text, and use only ASCII if the locale is C.

    What a stream cannot encode is written as an escape. For the locale C, Python would write UTF-8.
    """
    encoding = "ascii" if _is_ascii_wanted() else None
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def _is_ascii_wanted() -> bool:
    chosen = "PYTHONUTF8" in os.environ or "PYTHONIOENCODING" in os.environ
    return not chosen and locale.setlocale(locale.LC_CTYPE) in ("C", "POSIX")


def print_text(text: str, *, err: bool = False) -> None:
    """Write a text and a line break. Unlike `click.echo`, this keeps the encoding of the stream."""
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # as Python leaves it if the stream is closed
        stream.write(text + "\n")
        stream.flush()


def discard_unwritten(stream: TextIO | None) -> None:
    """Let Python's last flush succeed although the stream cannot be written to any more.

    Otherwise Python would report the failure again, and end with a status of its own.
    """
    with suppress(OSError, AttributeError):  # a stream may be None, or have no file
        try:
            stream.flush()  # type: ignore[union-attr]  # None has no flush
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]  # as above
            os.close(nowhere)
