"""The tables and plots of the validation page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dualmetrics.experiments.report.svg import to_svg
from tests.experiments.simulation import rates
from tests.experiments.simulation.blind_spots import BLIND_SPOTS
from tests.experiments.simulation.errors import ROLLOUT
from tests.experiments.simulation.latencies import NARROW, Shape
from tests.experiments.simulation.noise import BREAKS, ONE_SIDED, SCENARIOS, STEPS, Noise
from tests.experiments.simulation.other_report import (
    conversion_section,
    memory_section,
    ramp_section,
    rate_section,
    section,
    several_section,
    table,
)

EFFECTS = (0.0, 0.001, 0.0025, 0.005, 0.01)
MEDIANS = tuple(float(each) for each in np.exp(np.linspace(np.log(0.02), np.log(0.2), 16)))
OTHER_SECTIONS = (rate_section, conversion_section, memory_section, several_section, ramp_section)
DRIFTING = ("own noise, AR .99", "own noise, AR .997")
LATENCY = {
    "independent": Noise(),
    "shared noise": Noise(shared=0.3),
    "own noise, AR .6": Noise(own=0.15, own_memory=0.6),
    "own noise, AR .95": Noise(own=0.15, own_memory=0.95),
}


@dataclass
class Report:
    """Runs the simulations and writes a section for each question.

    ``runs`` is how many experiments are simulated for each number. ``broken`` collects the limits that do
    not hold.
    """

    runs: int
    images: Path
    broken: list[str] = field(default_factory=list)

    def sections(self) -> Iterator[str]:
        """Yield the sections of the page. Each is computed when it is reached."""
        yield self.false_fails()
        yield self.false_passes()
        yield self.breaks()
        yield self.power()
        yield self.one_sided()
        yield self.quantiles()
        yield self.alignments()
        yield self.blind_spots()
        yield self.sequences()
        for other in OTHER_SECTIONS:
            yield other(self.runs, self._check_limit)

    def false_fails(self) -> str:
        """Simulate experiments without a difference, and count how often they FAIL."""
        rows = []
        for name, noise in SCENARIOS.items():
            shares = [rates.share(rule, noise, self.runs) for rule in rates.RULES.values()]
            self._check_limit(shares[0], 0.075, f"false FAIL, {name}")
            rows.append([name, *map(_format, shares)])
        text = (
            "There is no difference (p = 1 %, one-sided at .05). How often does a rule call the candidate "
            "worse? Limit for dualmetrics: .075."
        )
        return section("False FAIL of the error ratio", text, table(["scenario", *rates.RULES], rows))

    def false_passes(self) -> str:
        """Simulate candidates that are worse by the margin, and count how often they PASS."""
        rows = []
        for name, noise in SCENARIOS.items():
            share = rates.share(rates.passes, noise, self.runs, effect=rates.MARGIN, seed=2)
            self._check_limit(share, 0.065, f"false PASS, {name}")
            rows.append([name, _format(share)])
        text = (
            "The candidate is worse by exactly the margin (0.1 points). How often does it pass? Limit: .065."
        )
        return section("False PASS of the error ratio", text, table(["scenario", "dualmetrics"], rows))

    def breaks(self) -> str:
        """Simulate candidates that break within the window, and count how often they FAIL."""
        rows, runs = [], self.runs // 4
        for name, change in BREAKS.items():
            once = rates.share(rates.ours, Noise(), runs, service=ROLLOUT, change=change, seed=6)
            looks = rates.looks(Noise(), runs // 4, service=ROLLOUT, change=change, seed=6)
            self._check_reach(once, 0.99, f"FAIL, {name}", runs)
            self._check_reach(looks.failed, 0.99, f"sequential FAIL, {name}", runs // 4)
            rows.append([name, _format(once), _format(looks.failed)])
        slow = np.where(np.arange(STEPS) < STEPS // 2, 1.0, 10.0)
        for q in (0.95, 0.99):
            found = rates.quantile(q, Noise(), slow, runs, seed=6).failed
            self._check_reach(found, 0.99, f"FAIL, p{q * 100:g} ten times as high from the middle", runs)
            rows.append([f"p{q * 100:g} ten times as high from the middle", _format(found), ""])
        text = (
            "The baseline has .5 % errors. Each variant has ten requests per second, for four hours. How "
            "often does the candidate FAIL at the declared end, and at any of 31 looks? Required: .99."
        )
        return section("Breaks", text, table(["candidate", "one look", "`--sequential`"], rows))

    def one_sided(self) -> str:
        """Simulate incidents in one variant only."""
        rows = []
        for name, noise in ONE_SIDED.items():
            failed = rates.share(rates.ours, noise, self.runs, service=ROLLOUT, seed=7)
            passed = rates.share(rates.passes, noise, self.runs, service=ROLLOUT, effect=rates.MARGIN, seed=8)
            self._check_limit(failed, 0.10, f"false FAIL, {name}")
            self._check_limit(passed, 0.10, f"false PASS, {name}")
            rows.append([name, _format(failed), _format(passed)])
        text = (
            "Errors come in incidents in one variant, and at an even rate in the other, with the same mean "
            "(false FAIL) or with a difference of exactly the margin (false PASS). Limit: .10. With one "
            "incident in a window on average no test can hold such a limit: often there is none to be seen."
        )
        return section(
            "Incidents in one variant", text, table(["scenario", "false FAIL", "false PASS"], rows)
        )

    def power(self) -> str:
        """Simulate true differences, and count how often a rule detects them."""
        chosen = ("independent", "own noise, AR .8", "own noise, AR .95", "own bursts", "shared incidents")
        names = [name for name in rates.RULES if name != "plain z"]
        shares = {(scenario, name): self._powers(scenario, name) for scenario in chosen for name in names}
        rows = [[*key, *map(_format, values)] for key, values in shares.items()]
        headers = ["scenario", "rule", *(f"+{effect * 100:g} points" for effect in EFFECTS)]
        self._draw("power.svg", {", ".join(key): values for key, values in shares.items()})
        text = (
            "The baseline has .5 % errors, as in *Breaks*, and the candidate more. How often does a rule "
            "detect it? (The plain z-test is left out, because it finds too many differences that do not "
            "exist.)"
        )
        return section("Power", text, table(headers, rows) + "\n\n![Power](images/power.svg)")

    def _powers(self, scenario: str, rule: str) -> list[float]:
        return [
            rates.share(
                rates.RULES[rule],
                SCENARIOS[scenario],
                self.runs // 4,
                effect=effect,
                service=ROLLOUT,
                seed=4,
            )
            for effect in EFFECTS
        ]

    def quantiles(self) -> str:
        """Simulate the gates of p95 and p99."""
        rows, runs = [], self.runs // 4
        for name, noise in LATENCY.items():
            for q in (0.95, 0.99):
                same = rates.quantile(q, noise, 1.0, runs, bounds=NARROW)
                slower = rates.quantile(q, noise, 1 + rates.SLOWER, runs, seed=2, bounds=NARROW)
                wide = rates.quantile(q, noise, 1 + rates.SLOWER, runs, seed=2)
                self._check_limit(same.failed, 0.075, f"false FAIL of p{q * 100:g}, {name}", runs)
                self._check_limit(slower.passed, 0.065, f"false PASS of p{q * 100:g}, {name}", runs)
                self._check_limit(wide.passed, 0.065, f"false PASS of p{q * 100:g}, wide, {name}", runs)
                narrow_numbers = (same.failed, slower.passed, same.passed)
                wide_numbers = (wide.passed, wide.passed_tail, wide.passed_linear)
                rows.append([name, f"p{q * 100:g}", *map(_format, (*narrow_numbers, *wide_numbers))])
        headers = ["scenario", "gate", "false FAIL", "false PASS", "PASS if equal"]
        headers += ["false PASS, 14 buckets", "tail alone", "linear alone"]
        text = (
            "Mixtures of log-normal latencies, each with a different median. The bounds are 4 % apart, as in "
            "a native histogram; in the last three columns there are 14 of them. For a false PASS the "
            "candidate is slower by exactly 10 %. With 14 buckets a quantile cannot pass, because a move of "
            "10 % can happen within a bucket. The last two columns show how often the interpolants alone "
            "would pass it; `linear` is that of PromQL's `histogram_quantile`."
        )
        return section("Latency", text, table(headers, rows))

    def alignments(self) -> str:
        """Count false PASS by the position of the quantile in its bucket."""
        rows, runs = [], max(60, self.runs // 8)
        for median in MEDIANS:
            shape = Shape(median)
            narrow = rates.quantile(0.99, Noise(), 1 + rates.SLOWER, runs, shape, bounds=NARROW)
            wide = rates.quantile(0.99, Noise(), 1 + rates.SLOWER, runs, shape)
            title = f"{median * 1000:.0f} ms"
            self._check_limit(max(narrow.passed, wide.passed), 0.065, f"false PASS at {title}", runs)
            numbers = (narrow.passed, wide.passed, wide.passed_tail, wide.passed_linear)
            rows.append([title, *map(_format, numbers)])
        text = "False PASS of p99 by the median of the latency. The candidate is slower by exactly 10 %."
        headers = ["median", "bounds 4 % apart", "14 buckets", "tail alone", "linear alone"]
        return section("Position of the bucket bounds", text, table(headers, rows))

    def blind_spots(self) -> str:
        """Count verdicts about moves that a histogram cannot see."""
        rows, runs = [], self.runs // 4
        for name, spot in BLIND_SPOTS.items():
            found = rates.quantile_of(spot.q, spot.pairs(runs))
            self._check_limit(found.failed, 0.075, f"false FAIL, {name}", runs)
            if spot.baseline != spot.candidate:
                self._check_limit(found.passed, 0.065, f"false PASS, {name}", runs)
            numbers = (found.failed, found.passed, found.passed_tail, found.passed_linear)
            rows.append([name, *map(_format, numbers)])
        text = (
            "p95 moves within a bucket, or by next to nothing across a bound. Both verdicts would be wrong."
        )
        headers = ["candidate", "FAIL", "PASS", "tail alone", "linear alone"]
        return section("Blind spots of histograms", text, table(headers, rows))

    def sequences(self) -> str:
        """Simulate looks after every block."""
        rows, runs = [], self.runs // 4
        for name, noise in {**SCENARIOS, **ONE_SIDED}.items():
            limit = 0.10 if name in ONE_SIDED else 0.075 if name in DRIFTING else 0.05
            service = ROLLOUT if name in ONE_SIDED else None
            same = rates.looks(noise, runs, service=service)
            margin = rates.looks(noise, runs, effect=rates.MARGIN, seed=5, service=service)
            self._check_limit(same.failed, limit, f"sequential false FAIL, {name}", runs)
            self._check_limit(margin.passed, limit, f"sequential false PASS, {name}", runs)
            rows.append([name, _format(same.fixed), _format(same.failed), _format(margin.passed)])
        headers = [
            "scenario",
            "one look, false FAIL",
            "sequence, false FAIL",
            "sequence, false PASS",
        ]
        text = (
            "There is a look after every block from the tenth on, and any look may decide; before 70 % of "
            "the declared time only breaks are judged. Limit for the sequence: .05; for noise that drifts "
            "(AR .99 and .997) .075; for incidents in one variant .10."
        )
        return section("Repeated looks (`--sequential`)", text, table(headers, rows))

    def _check_limit(self, share: float, limit: float, what: str, runs: int | None = None) -> None:
        """Record a share that is above its limit by more than two standard errors."""
        chance = 2 * (limit * (1 - limit) / (runs or self.runs)) ** 0.5
        if share > limit + chance:
            self.broken.append(f"{what}: {share:.3f}, allowed {limit}")

    def _check_reach(self, share: float, least: float, what: str, runs: int) -> None:
        """Record a share that is below what is required by more than two standard errors."""
        if share < least - 2 * (least * (1 - least) / runs) ** 0.5:
            self.broken.append(f"{what}: {share:.3f}, required {least}")

    def _draw(self, name: str, lines: dict[str, Sequence[float]]) -> None:
        figure = Figure(figsize=(9, 4), layout="constrained")
        axis = figure.subplots()
        for label, values in lines.items():
            axis.plot([effect * 100 for effect in EFFECTS], values, marker="o", label=label)
        axis.axhline(0.05, color="grey", linewidth=0.8)
        axis.set(xlabel="points of error ratio above 1 %", ylabel="share of experiments called worse")
        axis.legend(fontsize=7)
        self.images.mkdir(parents=True, exist_ok=True)
        (self.images / name).write_text(to_svg(figure), encoding="utf-8")


def _format(value: float) -> str:
    return f"{value:.3f}"
