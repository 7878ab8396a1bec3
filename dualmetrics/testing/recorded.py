"""What a Telemetry has recorded of HTTP, in a form that is the same for every convention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.snapshot import Point
from dualmetrics.telemetry import Telemetry

CONVENTIONS = ("classic", "semconv", "both")

T = TypeVar("T")


class Request(NamedTuple):
    """The labels by which a request was counted; no route under ``semconv`` is ``unmatched`` here."""

    method: AttributeValue
    route: AttributeValue
    status: AttributeValue


class Recorded:
    """Reads the snapshot. Raises AssertionError where two metrics of the same requests disagree."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        convention = telemetry.settings.convention
        self.classic = convention in ("classic", "both")
        self.semconv = convention in ("semconv", "both")

    def counts(self) -> dict[Request, float]:
        """How often each kind of request was counted."""
        found = []
        if self.classic:
            found.append(self._sum("http.requests", _classic, lambda cells: cells[0]))
            found.append(self._sum("http.request.duration", _classic, lambda cells: sum(cells[:-1])))
        if self.semconv:
            found.append(self._sum("http.server.request.duration", _semconv, lambda cells: sum(cells[:-1])))
        return _agreed(found)

    def seconds(self) -> dict[Request, float]:
        """How long each kind of request took, all of them together."""
        found = []
        if self.classic:
            found.append(
                self._sum("http.request.duration", _classic, lambda cells: round(cells[-1] / 1000, 6))
            )
        if self.semconv:
            found.append(
                self._sum("http.server.request.duration", _semconv, lambda cells: round(cells[-1], 6))
            )
        return _agreed(found)

    def active(self) -> dict[AttributeValue, float]:
        """How many are active, by method, those of none left out; a websocket is ``WEBSOCKET`` here."""
        found = []
        if self.classic:
            found.append(self._active("http.connections.active", lambda found: found["http.method"]))
        if self.semconv:
            found.append(self._active("http.server.active_requests", _semconv_active))
        return _agreed(found)

    def errors(self) -> set[AttributeValue]:
        """The values of ``error.type``."""
        found = (dict(point.attributes) for point in self.points("http.server.request.duration"))
        return {attributes["error.type"] for attributes in found if "error.type" in attributes}

    def points(self, name: str) -> list[Point]:
        """The series of a metric."""
        families = self.telemetry.snapshot().families
        return [point for family in families if family.descriptor.name == name for point in family.points]

    def _sum(
        self, name: str, labels: Callable[[Attributes], Request], value: Callable[[list[float]], float]
    ) -> dict[Request, float]:
        total: dict[Request, float] = {}
        for point in self.points(name):
            key = labels(point.attributes)
            total[key] = total.get(key, 0) + value(list(point.cells))
        return total

    def _active(
        self, name: str, label: Callable[[Mapping[str, AttributeValue]], AttributeValue]
    ) -> dict[AttributeValue, float]:
        values = ((label(dict(point.attributes)), point.cells[0]) for point in self.points(name))
        return {method: value for method, value in values if value}


def _classic(attributes: Attributes) -> Request:
    found = dict(attributes)
    assert found.keys() == {"http.method", "http.route", "http.status_code"}
    return Request(found["http.method"], found["http.route"], found["http.status_code"])


def _semconv(attributes: Attributes) -> Request:
    found = dict(attributes)
    assert {"http.request.method", "http.response.status_code", "url.scheme"} <= found.keys()
    assert found.get("http.route") != "unmatched"
    return Request(
        found["http.request.method"], found.get("http.route", "unmatched"), found["http.response.status_code"]
    )


def _semconv_active(attributes: Mapping[str, AttributeValue]) -> AttributeValue:
    websocket = attributes["url.scheme"] in ("ws", "wss")
    return "WEBSOCKET" if websocket else attributes["http.request.method"]


def _agreed(readings: Iterable[T]) -> T:
    first, *others = readings
    for other in others:
        assert other == first
    return first
