"""Differences of proportions, compared with published numbers, statsmodels, and the likelihood itself."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binom, norm
from statsmodels.stats import proportion

from dualmetrics.experiments.statistics import exact_test, score_interval
from dualmetrics.experiments.statistics.score_interval import ContingencyTable

Z = float(norm.isf(0.025))
FAGERLAND = ContingencyTable(7, 34, 1, 34)
TABLES = 3000


def random_tables(count: int = TABLES) -> list[ContingencyTable]:
    rng = np.random.default_rng(7)
    n1, n0 = rng.integers(2, 3000, (2, count))
    p = rng.beta(0.6, 3.0, (2, count))
    return [
        ContingencyTable(*map(int, row))
        for row in zip(rng.binomial(n1, p[0]), n1, rng.binomial(n0, p[1]), n0, strict=True)
    ]


def test_miettinen_and_nurminens_interval_is_the_published_one() -> None:
    assert score_interval.interval(FAGERLAND, Z) == pytest.approx((0.028, 0.34), abs=0.004)
    assert [float(f"{limit:.2g}") for limit in score_interval.interval(FAGERLAND, Z)] == [0.028, 0.34]


def test_the_statistic_agrees_with_statsmodels_on_thousands_of_tables() -> None:
    for table in random_tables():
        if 0 < table.pooled < 1:
            expected = proportion.score_test_proportions_2indep(*table, compare="diff", correction=False)
            assert score_interval.statistic(table, 0.0) == pytest.approx(expected.statistic, abs=1e-9)


def test_the_constrained_estimate_is_the_most_likely_one() -> None:
    """Not compared with statsmodels, whose closed form has an error: it fails for 9/10 against 3/10."""
    rng = np.random.default_rng(3)
    for table in random_tables(400):
        delta = float(rng.uniform(-0.9, 0.9))
        low, high = max(0.0, -delta) + 1e-12, min(1.0, 1.0 - delta) - 1e-12
        best = minimize_scalar(
            lambda p, t=table, d=delta: -likelihood(t, p + d, p),
            bounds=(low, high),
            method="bounded",
            options={"xatol": 1e-12},
        )
        p1, p0 = score_interval.constrained(table, delta)
        assert p1 - p0 == pytest.approx(delta, abs=1e-12)
        inside = min(max(p0, low), high)
        assert likelihood(table, inside + delta, inside) >= -best.fun - 1e-6 * abs(best.fun)


def likelihood(table: ContingencyTable, p1: float, p0: float) -> float:
    pairs = ((table.x1, p1), (table.n1 - table.x1, 1 - p1), (table.x0, p0), (table.n0 - table.x0, 1 - p0))
    return sum(count * (log(p) if p > 0 else -1e9) for count, p in pairs if count)


def test_the_interval_has_the_differences_that_the_test_does_not_reject() -> None:
    for table in random_tables(200):
        low, high = score_interval.interval(table, Z)
        assert -1 <= low <= table.estimate <= high <= 1
        for limit, sign in ((low, 1), (high, -1)):
            if abs(limit) < 0.999999:
                assert score_interval.statistic(table, limit) * sign == pytest.approx(Z, abs=1e-3)


@pytest.mark.parametrize(
    "table",
    [
        ContingencyTable(9, 10, 3, 10),
        ContingencyTable(0, 10, 0, 10),
        ContingencyTable(10, 10, 0, 10),
        ContingencyTable(10, 10, 10, 10),
    ],
)
def test_extreme_tables_have_an_interval(table: ContingencyTable) -> None:
    low, high = score_interval.interval(table, Z)
    assert -1 <= low <= table.estimate <= high <= 1


def test_the_exact_test_is_the_binomial_one() -> None:
    table = ContingencyTable(9, 1000, 2, 3000)
    expected = sum(float(binom.pmf(errors, 11, 0.25)) for errors in range(9, 12))
    assert exact_test.p_worse(table) == pytest.approx(expected)
    assert exact_test.p_worse(ContingencyTable(0, 10, 0, 10)) == 1.0
    assert exact_test.applies(table, 1.0)
    assert not exact_test.applies(table, 1.5)
    assert not exact_test.applies(ContingencyTable(18, 100, 2, 100), 1.0)
