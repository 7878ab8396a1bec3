"""What a Telemetry has recorded of HTTP, in a form that is the same for every convention."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from dualmetrics import Telemetry
from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.snapshot import Point

CONVENTIONS = ("classic", "semconv", "both")

T = TypeVar("T")


class RequestLabels(NamedTuple):
    """The labels by which a request was counted.

    Where no route matched, ``route`` is ``unmatched``, also under ``semconv``, which leaves the label out.
    """

    method: AttributeValue
    route: AttributeValue
    status: AttributeValue


class Recorded:
    """Reads the snapshot of a Telemetry. Raises AssertionError if two metrics of one request disagree."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.telemetry = telemetry
        convention = telemetry.settings.convention
        self.classic = convention in ("classic", "both")
        self.semconv = convention in ("semconv", "both")

    def counts(self) -> dict[RequestLabels, float]:
        """The number of requests by their labels."""
        sums = []
        if self.classic:
            sums.append(self._sum("http.requests", _classic_labels, _value))
            sums.append(self._sum("http.request.duration", _classic_labels, _count))
        if self.semconv:
            sums.append(self._sum("http.server.request.duration", _semconv_labels, _count))
        return _agreed(sums)

    def seconds(self) -> dict[RequestLabels, float]:
        """The total duration of requests by their labels, in seconds."""
        sums = []
        if self.classic:
            sums.append(self._sum("http.request.duration", _classic_labels, _seconds_of_milliseconds))
        if self.semconv:
            sums.append(self._sum("http.server.request.duration", _semconv_labels, _seconds))
        return _agreed(sums)

    def active(self) -> dict[AttributeValue, float]:
        """The number of active requests by method, without zeros. That of a websocket is ``WEBSOCKET``."""
        sums = []
        if self.classic:
            sums.append(self._active("http.connections.active", _classic_method))
        if self.semconv:
            sums.append(self._active("http.server.active_requests", _semconv_method))
        return _agreed(sums)

    def error_types(self) -> set[AttributeValue]:
        """The values of ``error.type``, which only ``semconv`` records."""
        series = (dict(point.attributes) for point in self.points("http.server.request.duration"))
        return {attributes["error.type"] for attributes in series if "error.type" in attributes}

    def active_routes(self) -> set[AttributeValue]:
        """The routes of the active requests, as far as they are recorded by their route."""
        series = (point for point in self._active_points() if point.cells[0])
        found = (dict(point.attributes).get("http.route") for point in series)
        return {route for route in found if route is not None}

    def values(self, attribute: str, name: str = "http.requests") -> dict[Any, AttributeValue | None]:
        """The values of an attribute, by route."""
        series = [dict(point.attributes) for point in self.points(name)]
        return {each.get("http.route"): each.get(attribute) for each in series}

    def sums(self, name: str) -> dict[Any, float]:
        """The sums of a histogram by route."""
        return {dict(point.attributes).get("http.route"): point.cells[-1] for point in self.points(name)}

    def bounds(self, name: str) -> dict[Any, tuple[float, ...]]:
        """The bounds of a histogram by route."""
        families = [each for each in self.telemetry.snapshot().families if each.descriptor.name == name]
        return {
            dict(point.attributes).get("http.route"): family.descriptor.bounds
            for family in families
            for point in family.points
        }

    def points(self, name: str) -> list[Point]:
        """The series of the metric with this name."""
        families = self.telemetry.snapshot().families
        return [point for family in families if family.descriptor.name == name for point in family.points]

    def _sum(
        self, name: str, labels: Callable[[Attributes], RequestLabels], value: Callable[[list[float]], float]
    ) -> dict[RequestLabels, float]:
        total: dict[RequestLabels, float] = {}
        for point in self.points(name):
            key = labels(point.attributes)
            total[key] = total.get(key, 0) + value(list(point.cells))
        return total

    def _active(
        self, name: str, method: Callable[[Mapping[str, AttributeValue]], AttributeValue]
    ) -> dict[AttributeValue, float]:
        sums: dict[AttributeValue, float] = {}
        for point in self.points(name):
            key = method(dict(point.attributes))
            sums[key] = sums.get(key, 0) + point.cells[0]
        return {key: value for key, value in sums.items() if value}

    def _active_points(self) -> list[Point]:
        return self.points("http.connections.active" if self.classic else "http.server.active_requests")


def _value(cells: list[float]) -> float:
    return cells[0]


def _count(cells: list[float]) -> float:
    """The count of a histogram: the sum of its buckets."""
    return sum(cells[:-1])


def _seconds(cells: list[float]) -> float:
    return round(cells[-1], 6)


def _seconds_of_milliseconds(cells: list[float]) -> float:
    return round(cells[-1] / 1000, 6)


def _classic_labels(attributes: Attributes) -> RequestLabels:
    labels = dict(attributes)
    assert {"http.method", "http.route", "http.status_code"} <= labels.keys()
    return RequestLabels(labels["http.method"], labels["http.route"], labels["http.status_code"])


def _semconv_labels(attributes: Attributes) -> RequestLabels:
    labels = dict(attributes)
    assert {"http.request.method", "http.response.status_code", "url.scheme"} <= labels.keys()
    assert labels.get("http.route") != "unmatched"
    route = labels.get("http.route", "unmatched")
    return RequestLabels(labels["http.request.method"], route, labels["http.response.status_code"])


def _classic_method(attributes: Mapping[str, AttributeValue]) -> AttributeValue:
    return attributes["http.method"]


def _semconv_method(attributes: Mapping[str, AttributeValue]) -> AttributeValue:
    is_websocket = attributes["url.scheme"] in ("ws", "wss")
    return "WEBSOCKET" if is_websocket else attributes["http.request.method"]


def _agreed(readings: Iterable[T]) -> T:
    first, *others = readings
    for other in others:
        assert other == first
    return first
