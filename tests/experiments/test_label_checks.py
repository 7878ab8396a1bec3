"""Labels and status codes that do not exist are errors, not a PASS."""

from __future__ import annotations

import numpy as np
import pytest

from dualmetrics.experiments import Margins, Question, UsageError
from dualmetrics.experiments.label_checks import check_labels
from dualmetrics.experiments.metric_names import CLASSIC
from dualmetrics.experiments.samples import SampledSeries
from dualmetrics.experiments.sources.source import VariantSamples


def check(statuses: list[str], pattern: str) -> None:
    labels = [{"http_status_code": status, "http_route": "/"} for status in statuses]
    series = [SampledSeries(each, np.array([1.0]), np.array([1.0])) for each in labels]
    check_labels([VariantSamples(series, [])], CLASSIC, Question(error_status=pattern))


@pytest.mark.parametrize(
    ("statuses", "pattern"),
    [
        (["200"], "5.."),
        (["200", "500"], "404"),
        (["2xx"], "5.."),
        (["OK"], "INTERNAL|UNAVAILABLE"),
        (["0"], "13|14"),
        (["fine", "bad"], "bad"),
        (["500"], "5.."),
    ],
)
def test_a_pattern_that_can_match_is_accepted_although_nothing_failed(
    statuses: list[str], pattern: str
) -> None:
    check(statuses, pattern)


@pytest.mark.parametrize(
    ("statuses", "pattern"),
    [
        (["200", "500"], "5"),
        (["200", "500"], "500x"),
        (["200", "500"], ""),
        (["200", "500"], "..."),
        (["2xx", "5xx"], "500"),
        (["OK", "INTERNAL"], "5.."),
        (["fine", "bad"], "bat"),
    ],
)
def test_a_pattern_that_cannot_match_or_matches_all_is_refused(statuses: list[str], pattern: str) -> None:
    with pytest.raises(UsageError, match=f"the codes are {', '.join(sorted(statuses))}"):
        check(statuses, pattern)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 0.0, -1.0])
def test_margins_are_finite_and_above_0(number: float) -> None:
    for margins in (
        Margins(errors=number),
        Margins(latency=number),
        Margins(slow=number),
        Margins(alpha=number),
    ):
        with pytest.raises(UsageError):
            Question(margins=margins)
