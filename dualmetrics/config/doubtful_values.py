"""Warnings about values that are allowed, but probably in another unit than the user has in mind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dualmetrics.config.options import Given, Warn
from dualmetrics.config.validators import NO_LIMIT

_LONG_SECONDS = 300.0
"""Hardly anybody waits longer, for a Collector or for a web page."""

_LONG_FIRST_BOUND = 5.0
"""If the lowest bound is this many seconds or more, nearly all requests are in the first bucket."""


def warn_of_milliseconds(given: Mapping[str, Given], warn: Warn) -> None:
    """Warn of seconds that are probably meant as milliseconds."""
    timeout, buckets = given.get("timeout"), given.get("buckets")
    if timeout is not None and _LONG_SECONDS < timeout.value != NO_LIMIT:
        warn(
            "dualmetrics: %s=%g is taken as seconds, as OpenTelemetry's Python exporters do, although its "
            "specification says milliseconds. If you mean %g seconds, set that; otherwise, nothing need be "
            "done",
            timeout.source,
            timeout.value,
            timeout.value / 1000,
        )
    bounds = buckets.value.default if buckets is not None else (0.0,)
    if buckets is not None and (bounds[0] >= _LONG_FIRST_BOUND or bounds[-1] > _LONG_SECONDS):
        warn(
            "dualmetrics: %s: the bounds %s of the HTTP duration are taken as seconds. If you mean "
            "milliseconds, set %s; otherwise, nothing need be done",
            buckets.source,
            _shown(bounds),
            _shown(bound / 1000 for bound in bounds),
        )


def _shown(bounds: Iterable[float]) -> str:
    return ",".join(f"{bound:g}" for bound in bounds)
