"""The sections of the validation page about other gates, several gates and variants, and ramps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from dualmetrics.experiments.gates import Aim
from dualmetrics.experiments.verdict import Verdict
from tests.experiments.simulation.noise import SCENARIOS, STEPS, Noise
from tests.experiments.simulation.other_gates import (
    RATE_NOISE,
    conversions,
    many_gates,
    memory,
    ramp,
    rates,
    several_candidates,
    shares,
)

Limit = Callable[[float, float, str, int | None], None]
"""Checks a share against a limit; then come its name and the number of runs."""
FALSE_FAIL, FALSE_PASS = 0.075, 0.065
CONVERSION_MARGIN = 0.002
GUARD, UP_GUARD = Aim(0.05), Aim(0.05, up_good=True)
GOAL = Aim(0.0, up_good=True, goal=True)
MORE_CONVERSIONS = Aim(CONVERSION_MARGIN, up_good=True)
CHOSEN = ("independent", "own noise, AR .8", "own noise, AR .95", "own noise, AR .99", "own bursts")
FALLING = np.repeat([4.0, 2.0, 1.0], STEPS // 3)
RAMP_NOISE = ("independent", "own noise", "own noise, AR .8", "own noise, AR .95", "own noise, AR .99")


def rate_section(runs: int, check: Limit) -> str:
    """Simulate the mean of a histogram, which CPU seconds per request are like."""
    rows = []
    for name, noise in RATE_NOISE.items():
        same = shares(rates(noise, 1.0, GUARD, runs))
        margin = shares(rates(noise, 1.05, GUARD, runs, 2))
        up_same = shares(rates(noise, 1.0, UP_GUARD, runs, 4))
        up_margin = shares(rates(noise, 0.95, UP_GUARD, runs, 5))
        goal = shares(rates(noise, 1.0, GOAL, runs, 7))
        for found, what in ((same, "rate"), (up_same, "up-good rate"), (goal, "goal")):
            check(found.failed, FALSE_FAIL, f"false FAIL, {what}, {name}", runs)
        for found, what in ((margin, "rate"), (up_margin, "up-good rate"), (goal, "goal")):
            check(found.passed, FALSE_PASS, f"false PASS, {what}, {name}", runs)
        power = shares(rates(noise, 1.1, GUARD, runs, 3)).failed
        reached = shares(rates(noise, 1.1, GOAL, runs, 8)).passed
        numbers = (same.failed, margin.passed, same.passed, power, up_same.failed, up_margin.passed)
        rows.append([name, *map(_format, (*numbers, goal.failed, goal.passed, reached))])
    headers = ["scenario", "false FAIL", "false PASS", "PASS if equal", "FAIL at +10 %"]
    headers += ["up-good: false FAIL", "up-good: false PASS", "goal: false FAIL", "goal: false PASS"]
    text = (
        "The mean of a value, by `--histogram`, or a ratio with `factor`. The margin is 5 %; the goal is any "
        "improvement. A goal PASSes falsely, or FAILs falsely, if there is no difference. *Own bursts* are "
        "incidents in which the mean is 20 times as high. CPU seconds per request are judged in the same "
        "way, but fail only beyond the margin."
    )
    return section("Other gates: means and factors", text, table([*headers, "goal: PASS at +10 %"], rows))


def conversion_section(runs: int, check: Limit) -> str:
    """Simulate a share of which more is better."""
    rows, margin = [], CONVERSION_MARGIN
    for name in CHOSEN:
        noise = SCENARIOS[name]._replace(own=min(SCENARIOS[name].own, 0.3))
        same = shares(conversions(noise, 0.0, MORE_CONVERSIONS, runs))
        at_margin = shares(conversions(noise, -margin, MORE_CONVERSIONS, runs, 2))
        goal = shares(conversions(noise, 0.0, GOAL, runs, 4))
        for found, what in ((same, "conversions"), (goal, "goal of conversions")):
            check(found.failed, FALSE_FAIL, f"false FAIL, {what}, {name}", runs)
        for found, what in ((at_margin, "conversions"), (goal, "goal of conversions")):
            check(found.passed, FALSE_PASS, f"false PASS, {what}, {name}", runs)
        power = shares(conversions(noise, -3 * margin, MORE_CONVERSIONS, runs, 3)).failed
        reached = shares(conversions(noise, 3 * margin, GOAL, runs, 5)).passed
        numbers = (same.failed, at_margin.passed, same.passed, power, goal.failed, goal.passed, reached)
        rows.append([name, *map(_format, numbers)])
    headers = ["scenario", "false FAIL", "false PASS", "PASS if equal", "FAIL at -0.6 points"]
    headers += ["goal: false FAIL", "goal: false PASS", "goal: PASS at +0.6 points"]
    text = (
        "A share by `--ratio`, of which more is better: 3 % of the requests lead to an order. The margin is "
        "0.2 points; the goal is any improvement. The deviation of the noise is .3."
    )
    return section("Other gates: shares that should be high", text, table(headers, rows))


def memory_section(runs: int, check: Limit) -> str:
    """Simulate memory, which drifts."""
    cases = {
        "drift by 2 %": Noise(own=0.02, own_memory=0.997),
        "drift by 5 %": Noise(own=0.05, own_memory=0.997),
        "noise of 5 %, AR .95": Noise(own=0.05, own_memory=0.95),
    }
    rows = []
    for name, noise in cases.items():
        found = [
            shares(memory(noise, factor, runs)) for factor in (1.0, 1.1, 1.3, np.linspace(1.0, 2.0, STEPS))
        ]
        check(found[0].failed, FALSE_FAIL, f"false FAIL, memory, {name}", runs)
        numbers = (found[0].failed, found[0].passed, found[1].passed, found[2].failed, found[3].failed)
        rows.append([name, *map(_format, numbers)])
    headers = [
        "scenario",
        "false FAIL",
        "PASS if equal",
        "PASS at +10 %",
        "FAIL at +30 %",
        "FAIL, leak to +100 %",
    ]
    text = (
        "The margin is 10 %. Two processes of one version differ by 1 % (standard deviation), and drift. "
        "The verdict is about the processes that ran: if theirs was within the margin by chance in each "
        "tenth of the window, it is PASS, although the version's mean is exactly at the margin. Only more "
        "processes would show that, so this number has no limit."
    )
    return section("Other gates: memory", text, table(headers, rows))


def several_section(runs: int, check: Limit) -> str:
    """Simulate several gates, and several candidates, in one run."""
    rows = []
    for name in ("independent", "own noise, AR .8", "own bursts"):
        noise = SCENARIOS[name]
        for number in (1, 5, 10):
            same = shares(many_gates([0.0] * number, runs, noise)).failed
            margin = shares(many_gates([0.0] * (number - 1) + [0.001], runs, noise, 50)).passed
            worse = shares(many_gates([0.0] * (number - 1) + [0.01], runs, noise, 90)).failed
            check(same, FALSE_FAIL, f"false FAIL, {number} gates, {name}", runs)
            check(margin, FALSE_PASS, f"false PASS, {number} gates, {name}", runs)
            rows.append([name, f"{number} gates", *map(_format, (same, margin, worse))])
        for number in (2, 3):
            same = _any(Verdict.FAIL, several_candidates([0.0] * number, runs, noise))
            margin = _any(Verdict.PASS, several_candidates([0.001] * number, runs, noise, 50))
            worse = _any(Verdict.FAIL, several_candidates([0.0] * (number - 1) + [0.01], runs, noise, 90))
            check(same, FALSE_FAIL, f"false FAIL, {number} candidates, {name}", runs)
            check(margin, FALSE_PASS, f"false PASS, {number} candidates, {name}", runs)
            rows.append([name, f"{number} candidates", *map(_format, (same, margin, worse))])
    headers = ["scenario", "judged", "any false FAIL", "any false PASS", "FAIL if one is worse by a point"]
    text = (
        "Gates on errors, each of a service of its own (as in *Breaks*), with a margin of 0.1 points; and "
        "several candidates against one baseline. *Any false FAIL*: all are equal. *Any false PASS*: one "
        "gate is worse by the margin, the others are equal; each candidate is worse by the margin."
    )
    return section("Several gates and several candidates", text, table(headers, rows))


def _any(verdict: Verdict, experiments: Iterable[Sequence[Verdict]]) -> float:
    found = [verdict in verdicts for verdicts in experiments]
    return sum(found) / len(found)


def ramp_section(runs: int, check: Limit) -> str:
    """Simulate ramps while the error ratio changes."""
    rows = []
    for name in RAMP_NOISE:
        noise = SCENARIOS[name]
        for title, level in (("steady", 1.0), ("falling", FALLING), ("rising", FALLING[::-1])):
            same = shares(ramp(noise, 0.0, runs, stratified=True, level=level))
            margin = shares(ramp(noise, 0.001, runs, stratified=True, level=level, seed=2)).passed
            worse = shares(ramp(noise, 0.01, runs, stratified=True, level=level, seed=3)).failed
            pooled = shares(ramp(noise, 0.0, runs, stratified=False, level=level)).failed
            pooled_margin = shares(ramp(noise, 0.001, runs, stratified=False, level=level, seed=2)).passed
            check(same.failed, FALSE_FAIL, f"false FAIL, ramp, {title}, {name}", runs)
            check(margin, FALSE_PASS, f"false PASS, ramp, {title}, {name}", runs)
            numbers = (same.failed, margin, same.passed, worse, pooled, pooled_margin)
            rows.append([name, title, *map(_format, numbers)])
    headers = ["scenario", "errors", "false FAIL", "false PASS", "PASS if equal", "FAIL at +1 point"]
    headers += ["no strata: false FAIL", "no strata: false PASS"]
    text = (
        "The candidate gets 1 %, 10 % and 50 % of the traffic, each for a third of the window. The error "
        "ratio of both variants is .5 %; if it falls, it is four times and twice as high in the first two "
        "thirds. Without strata the totals of both variants stand for different times."
    )
    return section("Ramps", text, table(headers, rows))


def section(title: str, text: str, body: str) -> str:
    """Return a section of the page."""
    return f"## {title}\n\n{text}\n\n{body}\n"


def table(headers: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(headers), *rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _format(value: float) -> str:
    return f"{value:.3f}"
