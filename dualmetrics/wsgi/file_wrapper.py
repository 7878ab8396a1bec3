"""Knows the file that the server sends by itself: what its ``wsgi.file_wrapper`` has made (PEP 3333).

The server needs the very object back. Most servers have a class, of which it is an instance. uWSGI has a
function that returns the file that it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dualmetrics.wsgi.environ import Environ

_KEY = "wsgi.file_wrapper"


class _WatchedFunction:
    """A server's function, which keeps what it has made."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.made: object = None

    def __call__(self, *arguments: Any, **keywords: Any) -> object:
        self.made = made = self.function(*arguments, **keywords)
        return made


def watch_file_wrapper(environ: Environ) -> None:
    """Prepare a request for `is_made_by_server`. A class needs no watching."""
    file_wrapper = environ.get(_KEY)
    if file_wrapper is not None and not isinstance(file_wrapper, type):
        environ[_KEY] = _WatchedFunction(file_wrapper)


def is_made_by_server(body: object, environ: Environ) -> bool:
    """Whether a body was made by the file wrapper of the server. Ends the watching."""
    file_wrapper = environ.get(_KEY)
    if isinstance(file_wrapper, _WatchedFunction):
        environ[_KEY] = file_wrapper.function
        return body is file_wrapper.made
    return isinstance(file_wrapper, type) and isinstance(body, file_wrapper)
