"""Reads the arguments with which a WSGI app starts its response."""

from __future__ import annotations

import functools
import sys

UNKNOWN_LENGTH = sys.maxsize
"""Stands for the length of a body without a Content-Length. It is larger than any body."""


@functools.lru_cache(256)
def status_code(status: str) -> int:
    """Return the code of a status such as ``200 OK``, or -1 if it has no code."""
    try:
        return int(status[:3])
    except ValueError:
        return -1


def content_length(headers: list[tuple[str, str]]) -> int:
    """Return the value of the header Content-Length, or `UNKNOWN_LENGTH`."""
    for name, value in headers:
        if name == "Content-Length" and value.isdecimal():
            return int(value)
    for name, value in headers:  # a second loop, because hardly any app spells the name differently
        if name.lower() == "content-length" and value.isdecimal():
            return int(value)
    return UNKNOWN_LENGTH
