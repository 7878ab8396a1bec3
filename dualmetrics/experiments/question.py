"""What is asked of an experiment."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gates import Margins


@dataclass(frozen=True)
class Question:
    """Which gates, with which margins; and whether this look is one of several."""

    baseline: str = "baseline"
    candidate: str = "candidate"
    margins: Margins = field(default_factory=Margins)
    quantiles: tuple[float, ...] = (0.95, 0.99)
    slo: tuple[float, ...] = ()
    """Thresholds in seconds: the share of slower requests is a gate."""
    by_route: bool = False
    gate_routes: bool = False
    """Whether a single route may make it fail."""
    sequential: bool = False
    split: float | None = None
    """The candidate's declared share of the traffic."""
    error_status: str = "5.."
    """A regular expression for the statuses that are errors."""
    names: tuple[tuple[str, str | None], ...] = ()
    """Fields of `Names` that are not to be recognised."""

    def __post_init__(self) -> None:
        if self.baseline == self.candidate:
            raise UsageError("Baseline and candidate are the same variant.")
        if self.split is not None and not 0 < self.split < 1:
            raise UsageError("The split must give both variants a share.")
        if not all(0 < q < 1 for q in self.quantiles):
            raise UsageError("A quantile lies between 0 and 1, as .99 does.")
        if min(self.margins[:4]) <= 0 or self.margins.alpha >= 0.5:
            raise UsageError("Margins are above 0, and alpha is below .5.")
        try:
            re.compile(self.error_status)
        except re.error as error:
            raise UsageError(f"{self.error_status!r} is no regular expression: {error}.") from error
