"""Watches a server's ``wsgi.file_wrapper`` that is a function, as uWSGI's (PEP 3333).

A server sends a file by itself if it gets the very object that its wrapper has made. Most servers have a
class, of which it is an instance. uWSGI's function returns the file that it was given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dualmetrics.wsgi.environ import Environ

_KEY = "wsgi.file_wrapper"


class _Watched:
    """The function, which keeps what it has made."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.made: object = None

    def __call__(self, *arguments: Any, **keywords: Any) -> object:
        self.made = made = self.function(*arguments, **keywords)
        return made


def watch_file_wrapper(environ: Environ) -> None:
    """Watch a function, so that `is_made_by_function` can tell what it has made."""
    file_wrapper = environ.get(_KEY)
    if file_wrapper is not None and not isinstance(file_wrapper, type):
        environ[_KEY] = _Watched(file_wrapper)


def is_made_by_function(body: object, environ: Environ) -> bool:
    """Whether the watched function has made a body. Ends the watching."""
    file_wrapper = environ.get(_KEY)
    if not isinstance(file_wrapper, _Watched):
        return False
    environ[_KEY] = file_wrapper.function
    return body is file_wrapper.made
