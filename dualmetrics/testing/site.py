"""What an integration must show for the contract: one small site, built with its framework's own means.

=====================  ==========================================================================
``/users/{id}``        GET: 200, for ``missing`` the handler's own 404
``/api/v1/items/{id}``  GET: the same, behind a prefix (a blueprint, a router, a mount)
``/boom``              GET: raises `HandlerError` before the response has started
``/stream``            GET: three parts, `SECONDS` after one another
``/broken``            GET: raises `HandlerError` after the first part
``/later``             GET: answers, then works for another `SECONDS` in the background
``/status/{code}``     GET: answers with this status
``/folder/``           GET: 200, and a redirect from ``/folder``, where the framework has them
``/health``            GET: excluded by the settings
=====================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from dualmetrics.model.attributes import AttributeValue
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded

SECONDS = 0.125
"""How long the clock stands for a step; a number of which sums are exact."""


class HandlerError(Exception):
    """What handlers raise."""


BOOM = "dualmetrics.testing.site.HandlerError"


class World:
    """What handlers reach: a clock that they move, and what they have seen of the metrics while running."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        self.recorded = Recorded(telemetry)
        self.now = 1000.0
        self.active_inside: list[dict[AttributeValue, float]] = []

    def clock(self) -> float:
        """Stands for ``time.perf_counter``."""
        return self.now

    def work(self) -> None:
        """Time passes."""
        self.now += SECONDS

    def look(self) -> None:
        """Note what is active while the handler runs."""
        self.active_inside.append(self.recorded.active())

    def parts(self) -> Iterator[bytes]:
        """The body of ``/stream``: each part takes its time, the first one too."""
        for part in (b"a", b"b", b"c"):
            self.work()
            yield part

    def broken_parts(self) -> Iterator[bytes]:
        """The body of ``/broken``."""
        yield b"a"
        raise HandlerError


class Site(Protocol):
    """A site on an integration, and its client."""

    world: World
    users: str
    items: str
    status: str
    redirect: int | None

    def request(self, method: str, path: str) -> int:
        """The status that the client sees; 500 where the app's exception is all that the server gets."""
        ...

    def body(self, method: str, path: str) -> bytes:
        """The body that the client sees."""
        ...
