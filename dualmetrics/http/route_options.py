"""What settings say about single routes: which ones are not recorded, and which have buckets of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from dualmetrics.http.semantic_conventions import UNMATCHED, RequestMetrics
from dualmetrics.model.descriptor import InstrumentationScope


class RouteOptions:
    """Is asked when a series is new, so requests pay nothing for it.

    ``exclude`` are templates, exact or with ``*`` at the end. ``buckets`` are bounds in seconds by template.
    """

    def __init__(
        self, exclude: Sequence[str] = (), buckets: Mapping[str, Sequence[float]] | None = None
    ) -> None:
        self._exact = frozenset(exclude)
        self._prefixes = tuple(route[:-1] for route in exclude if route.endswith("*"))
        self._buckets = buckets or {}

    def is_excluded(self, route: str | None) -> bool:
        """Whether requests of a route are not recorded. None stands for `UNMATCHED`."""
        return (route or UNMATCHED) in self._exact or (route or UNMATCHED).startswith(self._prefixes)

    def metrics_of(self, route: str | None, metrics: RequestMetrics) -> RequestMetrics:
        """Return the metrics of a route.

        A metric has one set of bounds in a scope. So a route with its own ones has a scope of its own, which
        has the same name and the route as an attribute.
        """
        buckets = self._buckets.get(route or UNMATCHED)
        if buckets is None:
            return metrics
        scope = metrics.duration.scope
        own_scope = InstrumentationScope(scope.name, attributes=(("http.route", route or UNMATCHED),))
        bounds = tuple(float(f"{bound * metrics.scale:.12g}") for bound in buckets)
        return metrics._replace(
            duration=dataclasses.replace(metrics.duration, scope=own_scope, bounds=bounds)
        )
