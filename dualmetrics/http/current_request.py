"""The request that a handler is serving, for what only the app knows about it.

It is found in the context, whichever thread or task the handler runs in.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar, cast

from dualmetrics.runtime.callbacks import Callback, WeakCallbacks
from dualmetrics.runtime.errors import warn_once

_Handler = TypeVar("_Handler", bound=Callable[..., Any])

_NOTHING_DECLARED = (
    "dualmetrics: current_request().set(%s=...) has no effect, because no Telemetry of this process declares "
    "attributes. Declare them in the setting attributes"
)


class DetailedRequest(Protocol):
    """A request that takes what the app says about it. ``outer`` is the one that was begun before."""

    outer: DetailedRequest | None
    in_progress: bool

    def set_attribute(self, name: str, value: object, *, report: bool) -> bool: ...

    def is_inside(self, other: DetailedRequest) -> bool: ...

    def leave_out(self) -> None: ...


_CURRENT: ContextVar[DetailedRequest | None] = ContextVar("dualmetrics_current_request", default=None)


class DetailedRequests:
    """Whether requests have to be found. While nobody asks, middleware does not note them."""

    def __init__(self) -> None:
        self.are_wanted = False
        self.are_in_use = False
        """Whether any Telemetry declares attributes."""
        self._listeners = WeakCallbacks()

    def on_wanted(self, listener: Callback) -> None:
        """Call ``listener`` when requests have to be found, or now. A bound method is held weakly."""
        self._listeners.add(listener)
        if self.are_wanted:
            listener()

    def want(self) -> None:
        """From now on, let each request be found."""
        if not self.are_wanted:
            self.are_wanted = True
            self._listeners()


DETAILED_REQUESTS = DetailedRequests()
"""Of this process. A decorated handler may belong to any app."""


def enter(request: DetailedRequest) -> None:
    """Make a request the current one. It stays so until it has ended; nothing need be undone."""
    request.outer = _in_progress(_CURRENT.get())
    _CURRENT.set(request)


def _in_progress(request: DetailedRequest | None) -> DetailedRequest | None:
    while request is not None and not request.in_progress:
        request = request.outer
    return request


def _current() -> Iterator[DetailedRequest]:
    """The current request, once for each Telemetry that records it."""
    request = _in_progress(_CURRENT.get())
    while request is not None:
        yield request
        outer = _in_progress(request.outer)
        request = outer if outer is not None and request.is_inside(outer) else None


class CurrentRequest:
    """What a handler may say about the request that it is serving."""

    __slots__ = ()

    def set(self, attributes: Mapping[str, object] | None = None, /, **more: object) -> None:
        """Set declared attributes, such as ``set(tenant="a")`` or ``set({"app.tenant": "a"})``.

        A value that was not declared is recorded as ``_OTHER``. A name that was not declared is ignored,
        counted as an internal error and logged once. Outside of a request, and after its response, nothing
        happens. Never raises.
        """
        requests = list(_current())
        for name, value in {**(attributes or {}), **more}.items():
            is_known = False
            for number, request in enumerate(requests, 1):
                is_last_to_know = not is_known and number == len(requests)
                is_known |= request.set_attribute(name, value, report=is_last_to_know)
            if not requests and not DETAILED_REQUESTS.are_in_use:
                warn_once(_NOTHING_DECLARED, name)


def current_request() -> CurrentRequest:
    """Return the request that is being served, to set attributes that the setting ``attributes`` declares."""
    return CurrentRequest()


def exclude_from_metrics(handler: _Handler) -> _Handler:
    """Do not record the requests that ``handler`` serves: a function, a coroutine function or a method.

    For the innermost decorator, below those that add the route. The requests are counted as active. Raises
    TypeError for a class: decorate its methods.
    """
    if not callable(handler) or inspect.isclass(handler):
        raise TypeError(f"exclude_from_metrics takes a function or a method, not {handler!r}")
    DETAILED_REQUESTS.want()
    call = getattr(handler, "__call__", None)  # noqa: B004 - that of an object may be a coroutine function
    is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)
    return _like(handler, _excluded_async(handler) if is_async else _excluded(handler))


def _excluded(handler: Callable[..., Any]) -> Callable[..., Any]:
    def excluded(*arguments: Any, **keywords: Any) -> Any:
        _leave_out()
        return handler(*arguments, **keywords)

    return excluded


def _excluded_async(handler: Callable[..., Any]) -> Callable[..., Any]:
    async def excluded(*arguments: Any, **keywords: Any) -> Any:
        _leave_out()
        return await handler(*arguments, **keywords)

    return excluded


def _like(handler: _Handler, wrapper: Callable[..., Any]) -> _Handler:
    """Return ``wrapper`` with all by which a framework may judge ``handler``.

    Some look at the arguments without following the wrapped function (Pyramid), or evaluate annotations that
    are strings where the wrapper was defined (older versions of FastAPI).
    """
    wrapper = functools.wraps(handler)(wrapper)
    for is_evaluated in (True, False):
        with suppress(Exception):  # names that only type checkers import, or no signature at all
            wrapper.__signature__ = inspect.signature(handler, eval_str=is_evaluated)  # type: ignore[attr-defined]
            break
    return cast("_Handler", wrapper)


def _leave_out() -> None:
    for request in list(_current()):
        request.leave_out()
