"""The names of the metrics and labels to compare: recognized in both conventions, or given by the user."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from dualmetrics.experiments.errors import InvalidExperimentError

_MILLISECOND_SUFFIXES = ("milliseconds", "_ms")


@dataclass(frozen=True)
class Names:
    """The metrics of requests and their durations, and the labels for status and route."""

    duration: str | None = "http_request_duration_milliseconds"
    """The histogram of durations, without a suffix."""
    requests: str | None = "http_requests_total"
    """The counter of requests. None: the histogram's count is used."""
    status: str = "http_status_code"
    route: str = "http_route"

    @property
    def recorded(self) -> bool:
        """Whether there are metrics of HTTP requests."""
        return bool(self.duration or self.requests)

    @property
    def per_second(self) -> float:
        """How many of the histogram's units make one second: 1000 for milliseconds, else 1."""
        return 1000.0 if self.duration and self.duration.endswith(_MILLISECOND_SUFFIXES) else 1.0

    @property
    def bucket(self) -> str:
        """The series name of a classic histogram's buckets."""
        return f"{self.duration}_bucket"

    def renamed(self, **given: str | None) -> Names:
        """Replace the names that are given. An empty name or None changes nothing."""
        return replace(self, **{key: value for key, value in given.items() if value})


CLASSIC = Names()
NO_HTTP = Names(None, None)
"""Without metrics of requests, only the gates on other metrics are judged."""
SEMCONV = Names("http_server_request_duration_seconds", None, "http_response_status_code", "http_route")


def recognize_names(recorded: Collection[str]) -> Names:
    """Find the names of either convention among the ``recorded`` metrics. They may have any prefix.

    Raises `InvalidExperimentError` if there are none.
    """
    for convention in (CLASSIC, SEMCONV):
        duration = _find_duration(recorded, convention.duration or "")
        requests = _find_suffixed(recorded, convention.requests) if convention.requests else None
        if duration or requests:
            return replace(convention, duration=duration, requests=requests)
    expected = f"{CLASSIC.requests}, {CLASSIC.duration}, {SEMCONV.duration}"
    raise InvalidExperimentError(
        f"None of {expected} was recorded; use --requests and --durations to name other metrics."
    )


def _find_duration(recorded: Collection[str], name: str) -> str | None:
    bucket = _find_suffixed(recorded, f"{name}_bucket")
    return bucket.removesuffix("_bucket") if bucket else _find_suffixed(recorded, name)


def _find_suffixed(recorded: Collection[str], name: str) -> str | None:
    """Return the shortest recorded name that equals ``name`` or ends with it after a prefix."""
    matching = (metric for metric in recorded if metric == name or metric.endswith(f"_{name}"))
    return min(matching, key=len, default=None)
