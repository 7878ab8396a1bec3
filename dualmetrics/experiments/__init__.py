"""Two variants of an app side by side, and a verdict whether the candidate is as good as the baseline.

`compare` judges what a `Source` has recorded of both; `plan` says how long that takes. Needs the extra
``experiments``. No module that records imports this package.
"""

from __future__ import annotations

from dualmetrics.experiments.comparison import Comparison, Question, compare
from dualmetrics.experiments.errors import (
    ExperimentError,
    InvalidExperimentError,
    TooEarlyError,
    UnreachableError,
    UsageError,
)
from dualmetrics.experiments.gates import Gate, Margins
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.planning import Plan, plan
from dualmetrics.experiments.sources.pages import Pages
from dualmetrics.experiments.sources.prometheus import Prometheus
from dualmetrics.experiments.verdict import Verdict
from dualmetrics.experiments.window import Window

__all__ = [
    "Comparison",
    "ExperimentError",
    "Gate",
    "InvalidExperimentError",
    "Margins",
    "Names",
    "Pages",
    "Plan",
    "Prometheus",
    "Question",
    "TooEarlyError",
    "UnreachableError",
    "UsageError",
    "Verdict",
    "Window",
    "compare",
    "plan",
]
