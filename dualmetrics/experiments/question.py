"""What a comparison is asked to judge."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from math import inf

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gate_specs import GateSpec
from dualmetrics.experiments.gates import Margins
from dualmetrics.experiments.ramps import RampStep


@dataclass(frozen=True)
class Question:
    """The variants, and the gates with their margins. Raises `UsageError` if a value is wrong."""

    baseline: str = "baseline"
    candidate: str = "candidate"
    margins: Margins = field(default_factory=Margins)
    quantiles: tuple[float, ...] = (0.95, 0.99)
    """A latency gate for each of these quantiles."""
    slo: tuple[float, ...] = ()
    """Thresholds in seconds. The share of slower requests is a gate."""
    by_route: bool = False
    """Whether to show the gates of each route too."""
    gate_routes: bool = False
    """Whether a single route may make the comparison fail."""
    sequential: bool = False
    """Whether this look may be one of several, before the declared end."""
    split: float | None = None
    """The candidate's declared share of the traffic. None: the split is not checked."""
    error_status: str = "5.."
    """A regular expression for the status codes that are errors."""
    names: tuple[tuple[str, str | None], ...] = ()
    """Fields of `Names` with the values to use instead of the recognized ones; None changes nothing."""
    gates: tuple[GateSpec, ...] = ()
    """Gates on other metrics."""
    ramp: tuple[RampStep, ...] = ()
    """The steps of a split that moves, from the start of the window on, instead of ``split``."""

    def __post_init__(self) -> None:
        if self.baseline == self.candidate:
            raise UsageError("Baseline and candidate are the same variant.")
        if self.split is not None and not 0 < self.split < 1:
            raise UsageError("The split must give both variants a share.")
        if not all(0 < step.share < 1 and step.seconds > 0 for step in self.ramp):
            raise UsageError("Each step of the ramp must give both variants a share, and last some time.")
        titles = [gate.title for gate in self.gates]
        if len(titles) != len(set(titles)):
            raise UsageError("A gate is given twice.")
        if not all(0 < q < 1 for q in self.quantiles):
            raise UsageError("A quantile must lie between 0 and 1, for example .99.")
        if not all(0 < number < inf for number in self.margins[:4]) or self.margins.alpha >= 0.5:
            raise UsageError("Margins must be finite and above 0, and alpha must be below .5.")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of doubtful, but valid expressions
                re.compile(self.error_status)
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(f"{self.error_status!r} is not a regular expression: {error}.") from error
