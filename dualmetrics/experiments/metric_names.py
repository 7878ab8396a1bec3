"""How the metrics are named: recognised in both conventions, or said by the user."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from dualmetrics.experiments.errors import InvalidExperimentError

MILLISECONDS = "milliseconds"


@dataclass(frozen=True)
class Names:
    """The metrics of requests and their durations, and the labels that tell them apart."""

    duration: str | None = "http_request_duration_milliseconds"
    """The histogram, without a suffix."""
    requests: str | None = "http_requests_total"
    """The counter of requests; None where the histogram's count says it."""
    status: str = "http_status_code"
    route: str = "http_route"

    @property
    def per_second(self) -> float:
        """How many units of the histogram a second has."""
        return 1000.0 if self.duration and self.duration.endswith((MILLISECONDS, "_ms")) else 1.0

    @property
    def bucket(self) -> str:
        """The series of a classic histogram's buckets."""
        return f"{self.duration}_bucket"

    def renamed(self, **given: str | None) -> Names:
        """With what the user says; None leaves what there is."""
        return replace(self, **{key: value for key, value in given.items() if value})


CLASSIC = Names()
SEMCONV = Names("http_server_request_duration_seconds", None, "http_response_status_code", "http_route")


def recognize_names(found: Collection[str]) -> Names:
    """The names among those that a source has, with any prefix.

    Raises `InvalidExperimentError` if there are none.
    """
    for convention in (CLASSIC, SEMCONV):
        duration = _duration(found, convention.duration or "")
        requests = _ending(found, convention.requests) if convention.requests else None
        if duration or requests:
            return replace(convention, duration=duration, requests=requests)
    known = f"{CLASSIC.requests}, {CLASSIC.duration}, {SEMCONV.duration}"
    raise InvalidExperimentError(
        f"None of {known} was recorded; --requests and --duration name other metrics."
    )


def _duration(found: Collection[str], name: str) -> str | None:
    bucket = _ending(found, f"{name}_bucket")
    return bucket.removesuffix("_bucket") if bucket else _ending(found, name)


def _ending(found: Collection[str], name: str) -> str | None:
    """The shortest name that is ``name``, or ends with it after a prefix."""
    return min((each for each in found if each == name or each.endswith(f"_{name}")), key=len, default=None)
