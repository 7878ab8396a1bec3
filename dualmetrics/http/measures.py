"""What may be measured of a request beside its duration: the sizes of both bodies, and the first byte."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

from dualmetrics.http.semantic_conventions import Classic, Convention
from dualmetrics.instruments.default_bounds import default_bounds
from dualmetrics.model.descriptor import OWN_SCOPE, Descriptor, Kind

_BODIES = {"request": "received", "response": "sent"}
"""The part of `Measured` for each body."""


class Measured(NamedTuple):
    """What was measured of one request. ``first_byte`` is in seconds, None if no response has begun.

    ``received`` and ``sent`` are the bytes of the bodies; ``sent`` is None if the server has sent the body
    past us and its size is not known.
    """

    received: int = 0
    sent: int | None = 0
    first_byte: float | None = None


class Measure(NamedTuple):
    """A histogram, the scale from what was measured to its unit, and what it takes from `Measured`."""

    descriptor: Descriptor
    scale: float
    value_of: Callable[[Measured], float | None]


class MeasureSettings(Protocol):
    """The part of `Settings` that chooses measures."""

    @property
    def body_size(self) -> bool: ...

    @property
    def time_to_first_byte(self) -> bool: ...


def measures_for(
    convention: Convention,
    settings: MeasureSettings,
    buckets: Sequence[float],
    buckets_by_name: Mapping[str, tuple[float, ...]],
) -> tuple[Measure, ...]:
    """Return the measures that the settings ask for, by the names of the convention.

    ``buckets`` are those of the duration, in seconds, which the time to the first byte has, too.
    ``buckets_by_name`` are those of single instruments, in the unit of each.
    """
    is_classic = isinstance(convention, Classic)
    prefix, unit, scale = ("http", "ms", 1000.0) if is_classic else ("http.server", "s", 1.0)
    times = tuple(float(f"{bound * scale:.12g}") for bound in buckets)

    def histogram(name: str, unit: str, description: str, bounds: tuple[float, ...]) -> Descriptor:
        chosen = buckets_by_name.get(name, bounds)
        return Descriptor(OWN_SCOPE, name, Kind.HISTOGRAM, unit, description, chosen)

    measures: list[Measure] = []
    for part, measured in _BODIES.items() if settings.body_size else ():
        name, description = f"{prefix}.{part}.body.size", f"Size of the bodies of HTTP {part}s."
        sizes = histogram(name, "By", description, default_bounds("By"))
        measures.append(Measure(sizes, 1.0, attrgetter(measured)))
    if settings.time_to_first_byte:
        description = "Time from the start of HTTP requests to the first byte of their responses."
        name = f"{prefix}.request.time_to_first_byte"
        measures.append(Measure(histogram(name, unit, description, times), scale, attrgetter("first_byte")))
    return tuple(measures)
