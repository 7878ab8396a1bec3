"""Compares two variants of an app that run side by side, to tell whether the candidate is as good.

`compare` judges what a source (`Prometheus` or `Pages`) has recorded of both variants. `plan` says how long
an experiment has to run. Needs the extra ``experiments``. The modules that record metrics never import this
package.
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
from dualmetrics.experiments.gate_specs import host_spec, parse_histogram, parse_ratio
from dualmetrics.experiments.gates import Gate, Margins
from dualmetrics.experiments.metric_names import Names
from dualmetrics.experiments.planning import Plan, plan
from dualmetrics.experiments.ramps import RampStep
from dualmetrics.experiments.several_variants import Variants, compare_variants
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
    "RampStep",
    "TooEarlyError",
    "UnreachableError",
    "UsageError",
    "Variants",
    "Verdict",
    "Window",
    "compare",
    "compare_variants",
    "host_spec",
    "parse_histogram",
    "parse_ratio",
    "plan",
]
