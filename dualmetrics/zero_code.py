"""Recording of apps that do not know dualmetrics, for the modules ``zero_code`` of integrations.

Nothing is decided before the first request: until then, an app may still add dualmetrics itself, with
settings of its own.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from dualmetrics.config.settings import SettingsError
from dualmetrics.default_telemetry import configure
from dualmetrics.instruments.meter import leave_unrecorded
from dualmetrics.middleware import ADDITIONS
from dualmetrics.runtime.errors import logger
from dualmetrics.runtime.locks import ReentrantLock

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry

__all__ = ["Patch", "before_first_call", "leave_unrecorded", "own_class", "unchanged_telemetry"]

RecordApp = Callable[[Any, Any], Any]
"""Makes an app record. Gets the app, and its method as it was. Returns what is called in place of the method
from now on, or None for the method itself."""

_KEY = "_dualmetrics_serves"
"""The attribute of an app that has been called. Its value is what serves the app, or None."""

_UNSEEN = object()
_lock = ReentrantLock()


def unchanged_telemetry() -> Telemetry | None:
    """The default `Telemetry`, for an app that does not add dualmetrics itself.

    None if code of this process has added dualmetrics to any app: then it knows what is to be recorded. None
    also if an environment variable has a wrong value, which is logged once.
    """
    with _lock:
        if ADDITIONS.by_code or ADDITIONS.failed:
            return None
        try:
            ADDITIONS.zero_code = configure()
        except SettingsError as error:
            ADDITIONS.failed = True
            logger.error("dualmetrics: no request is recorded. Change this setting: %s", error)
        return ADDITIONS.zero_code


class Patch:
    """A method of a class that was replaced."""

    def __init__(self, kind: type, name: str, replacement: Callable[..., Any]) -> None:
        self._kind = kind
        self._name = name
        self._own = vars(kind).get(name)
        self._replacement = replacement
        setattr(kind, name, replacement)

    def remove(self) -> None:
        """Restore the method, unless it was replaced once more in the meantime."""
        if vars(self._kind).get(self._name) is not self._replacement:
            return
        if self._own is None:
            delattr(self._kind, self._name)  # a base class has it
        else:
            setattr(self._kind, self._name, self._own)


def before_first_call(kind: type, name: str, record: RecordApp) -> Patch:
    """Call ``record`` for each object of ``kind``, before its method is called for the first time.

    The method is a coroutine function with the arguments of ASGI, or a function with two arguments, as in
    WSGI. What ``record`` raises is logged, and the app serves on as if there was no dualmetrics.
    """
    original = getattr(kind, name)

    def serve_of(app: Any) -> Any:
        serve = getattr(app, _KEY, _UNSEEN)
        return _first_call(app, record, original) if serve is _UNSEEN else serve

    # Servers look at the parameters of the method, and at its kind, to learn which protocol it speaks.
    @functools.wraps(original)
    async def asgi(app: Any, scope: Any, receive: Any, send: Any) -> None:
        serve = serve_of(app)
        if serve is None:
            await original(app, scope, receive, send)
        else:
            await serve(scope, receive, send)

    @functools.wraps(original)
    def wsgi(app: Any, environ: Any, start_response: Any) -> Any:
        serve = serve_of(app)
        return original(app, environ, start_response) if serve is None else serve(environ, start_response)

    return Patch(kind, name, asgi if inspect.iscoroutinefunction(original) else wsgi)


def _first_call(app: Any, record: RecordApp, original: Any) -> Any:
    with _lock:
        serve = getattr(app, _KEY, _UNSEEN)
        if serve is _UNSEEN:
            try:
                serve = record(app, functools.partial(original, app))
            except Exception as error:
                serve = None
                logger.warning(
                    "dualmetrics: the requests of a %s are not recorded; report this to dualmetrics: %r",
                    type(app).__qualname__,
                    error,
                )
            _remember(app, serve)
        return serve


def _remember(app: Any, serve: object) -> None:
    if hasattr(app, "__dict__"):
        app.__dict__[_KEY] = serve  # some frameworks warn of attributes that they do not know
    else:
        kind = type(app)
        app.__class__ = type(
            kind.__name__, (kind,), {"__slots__": (), "__module__": kind.__module__, _KEY: serve}
        )


def own_class(kind: type, package: str) -> type:
    """The framework's own class: instrumentation of others may have put a subclass in its place."""
    return next(each for each in kind.__mro__ if each.__module__.partition(".")[0] == package)
