"""The tables and plots of the validation page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from dualmetrics.experiments.report.plots import to_svg
from tests.experiments.simulation import rates
from tests.experiments.simulation.latencies import Shape
from tests.experiments.simulation.noise import SCENARIOS, Noise

EFFECTS = (0.0, 0.001, 0.0025, 0.005, 0.01)
MEDIANS = tuple(float(each) for each in np.exp(np.linspace(np.log(0.02), np.log(0.2), 16)))
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
        yield self.power()
        yield self.quantiles()
        yield self.alignments()
        yield self.sequences()

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
        return _section("False FAIL of the error ratio", text, _table(["scenario", *rates.RULES], rows))

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
        return _section("False PASS of the error ratio", text, _table(["scenario", "dualmetrics"], rows))

    def power(self) -> str:
        """Simulate true differences, and count how often a rule detects them."""
        chosen = ("independent", "own noise, AR .8", "shared incidents")
        names = [name for name in rates.RULES if name != "plain z"]
        shares = {
            (scenario, name): [
                rates.share(rates.RULES[name], SCENARIOS[scenario], self.runs // 4, effect=effect, seed=4)
                for effect in EFFECTS
            ]
            for scenario in chosen
            for name in names
        }
        rows = [[*key, *map(_format, values)] for key, values in shares.items()]
        headers = ["scenario", "rule", *(f"+{effect * 100:g} points" for effect in EFFECTS)]
        self._draw("power.svg", {", ".join(key): values for key, values in shares.items()})
        text = (
            "The candidate's error ratio is higher than the baseline's 1 %. How often does a rule detect it? "
            "(The plain z-test is left out, because it finds too many differences that do not exist.)"
        )
        return _section("Power", text, _table(headers, rows) + "\n\n![Power](images/power.svg)")

    def quantiles(self) -> str:
        """Simulate the gates of p95 and p99."""
        rows, runs = [], self.runs // 4
        for name, noise in LATENCY.items():
            for q in (0.95, 0.99):
                same = rates.quantile(q, noise, 1.0, runs)
                slower = rates.quantile(q, noise, 1 + rates.SLOWER, runs, seed=2)
                self._check_limit(same.failed, 0.075, f"false FAIL of p{q * 100:g}, {name}", runs)
                self._check_limit(slower.passed, 0.065, f"false PASS of p{q * 100:g}, {name}", runs)
                numbers = (same.failed, slower.passed, slower.passed_tail, slower.passed_linear)
                rows.append([name, f"p{q * 100:g}", *map(_format, numbers)])
        headers = ["scenario", "gate", "false FAIL", "false PASS", "tail alone", "linear alone"]
        text = (
            "Mixtures of log-normal latencies, each with a different median, in 14 buckets. For a false PASS "
            "the candidate is slower by exactly 10 %. The gate needs both interpolants. The last columns "
            "show what each of them would do alone; `linear` is that of PromQL's `histogram_quantile`."
        )
        return _section("Latency", text, _table(headers, rows))

    def alignments(self) -> str:
        """Count false PASS by the position of the quantile in its bucket."""
        runs = max(60, self.runs // 16)
        results = [rates.quantile(0.99, Noise(), 1 + rates.SLOWER, runs, Shape(median)) for median in MEDIANS]
        rows = [
            [f"{median * 1000:.0f} ms", _format(each.passed), _format(each.passed_linear)]
            for median, each in zip(MEDIANS, results, strict=True)
        ]
        worst = max(each.passed for each in results), max(each.passed_linear for each in results)
        mean = float(np.mean([each.passed for each in results]))
        self._check_limit(mean, 0.065, "false PASS over alignments", runs * len(results))
        text = (
            "False PASS of p99 by the median of the latency. The candidate is slower by exactly 10 %. "
            f"Mean {mean:.3f}; worst {worst[0]:.2f}, with the linear interpolant alone {worst[1]:.2f}."
        )
        return _section(
            "Position of the bucket bounds", text, _table(["median", "false PASS", "linear alone"], rows)
        )

    def sequences(self) -> str:
        """Simulate looks after every block."""
        rows, runs = [], self.runs // 4
        for name, noise in SCENARIOS.items():
            same = rates.looks(noise, runs)
            margin = rates.looks(noise, runs, effect=rates.MARGIN, seed=5)
            self._check_limit(same.failed, 0.05, f"sequential false FAIL, {name}", runs)
            self._check_limit(margin.passed, 0.05, f"sequential false PASS, {name}", runs)
            rows.append([name, _format(same.fixed), _format(same.failed), _format(margin.passed)])
        headers = [
            "scenario",
            "one look, false FAIL",
            "sequence, false FAIL",
            "sequence, false PASS",
        ]
        text = (
            "There is a look after every block from the tenth on, and any look may decide. Limit for the "
            "sequence: .05."
        )
        return _section("Repeated looks (`--sequential`)", text, _table(headers, rows))

    def _check_limit(self, share: float, limit: float, what: str, runs: int | None = None) -> None:
        """Record a share that is above its limit by more than two standard errors."""
        chance = 2 * (limit * (1 - limit) / (runs or self.runs)) ** 0.5
        if share > limit + chance:
            self.broken.append(f"{what}: {share:.3f}, allowed {limit}")

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


def _section(title: str, text: str, body: str) -> str:
    return f"## {title}\n\n{text}\n\n{body}\n"


def _table(headers: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [list(headers), *rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _format(value: float) -> str:
    return f"{value:.3f}"
