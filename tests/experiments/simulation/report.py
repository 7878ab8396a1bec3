"""Tables and plots of the validation."""

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
    """The validation, question after question; ``broken`` has the limits that were not kept."""

    runs: int
    images: Path
    broken: list[str] = field(default_factory=list)

    def sections(self) -> Iterator[str]:
        """The parts of the page, each computed when it is asked for."""
        yield self.false_fails()
        yield self.false_passes()
        yield self.power()
        yield self.quantiles()
        yield self.alignments()
        yield self.sequences()

    def false_fails(self) -> str:
        """No difference, and yet FAIL."""
        rows = []
        for name, noise in SCENARIOS.items():
            found = [rates.share(rule, noise, self.runs) for rule in rates.RULES.values()]
            self._at_most(found[0], 0.075, f"false FAIL, {name}")
            rows.append([name, *map(_share, found)])
        text = "No difference (p = 1 %), one-sided at .05: how often a rule says worse. Limit for ours: .075."
        return _section("False FAIL of the error ratio", text, table(["scenario", *rates.RULES], rows))

    def false_passes(self) -> str:
        """Worse by the margin, and yet PASS."""
        rows = []
        for name, noise in SCENARIOS.items():
            found = rates.share(rates.passes, noise, self.runs, effect=rates.MARGIN, seed=2)
            self._at_most(found, 0.065, f"false PASS, {name}")
            rows.append([name, _share(found)])
        text = "The candidate is worse by exactly the margin (0.1 points): how often it passes. Limit: .065."
        return _section("False PASS of the error ratio", text, table(["scenario", "dualmetrics"], rows))

    def power(self) -> str:
        """A true difference, and FAIL."""
        chosen = ("independent", "own noise, AR .8", "shared incidents")
        names = [name for name in rates.RULES if name != "plain z"]
        found = {
            (scenario, name): [
                rates.share(rates.RULES[name], SCENARIOS[scenario], self.runs // 4, effect=effect, seed=4)
                for effect in EFFECTS
            ]
            for scenario in chosen
            for name in names
        }
        rows = [[*key, *map(_share, values)] for key, values in found.items()]
        headers = ["scenario", "rule", *(f"+{effect * 100:g} points" for effect in EFFECTS)]
        self._draw("power.svg", {", ".join(key): values for key, values in found.items()})
        text = (
            "The candidate's error ratio is higher than 1 %: how often a rule says so. (The plain z-test is "
            "left out: it says so too often without a difference.)"
        )
        return _section("Power", text, table(headers, rows) + "\n\n![Power](images/power.svg)")

    def quantiles(self) -> str:
        """The gates of p95 and p99."""
        rows, runs = [], self.runs // 4
        for name, noise in LATENCY.items():
            for q in (0.95, 0.99):
                same = rates.quantile(q, noise, 1.0, runs)
                slower = rates.quantile(q, noise, 1 + rates.SLOWER, runs, seed=2)
                self._at_most(same.failed, 0.075, f"false FAIL of p{q * 100:g}, {name}", runs)
                self._at_most(slower.passed, 0.065, f"false PASS of p{q * 100:g}, {name}", runs)
                numbers = (same.failed, slower.passed, slower.passed_tail, slower.passed_linear)
                rows.append([name, f"p{q * 100:g}", *map(_share, numbers)])
        headers = ["scenario", "gate", "false FAIL", "false PASS", "tail alone", "linear alone"]
        text = (
            "Mixtures of log-normal latencies, whose median lies elsewhere each time, in 14 buckets. False "
            "PASS: slower by exactly 10 %. The gate needs both interpolants; the last columns have what one "
            "alone would do, `linear` being PromQL's `histogram_quantile`."
        )
        return _section("Latency", text, table(headers, rows))

    def alignments(self) -> str:
        """False PASS wherever the quantile lies in its bucket."""
        runs = max(60, self.runs // 16)
        found = [rates.quantile(0.99, Noise(), 1 + rates.SLOWER, runs, Shape(median)) for median in MEDIANS]
        rows = [
            [f"{median * 1000:.0f} ms", _share(each.passed), _share(each.passed_linear)]
            for median, each in zip(MEDIANS, found, strict=True)
        ]
        worst = max(each.passed for each in found), max(each.passed_linear for each in found)
        mean = float(np.mean([each.passed for each in found]))
        self._at_most(mean, 0.065, "false PASS over alignments", runs * len(found))
        where = "p99, slower by exactly 10 %, by where the median lies."
        text = f"{where} Mean {mean:.3f}; at worst {worst[0]:.2f}, linear alone {worst[1]:.2f}."
        return _section("Where the bounds lie", text, table(["median", "false PASS", "linear alone"], rows))

    def sequences(self) -> str:
        """Peeking."""
        rows, runs = [], self.runs // 4
        for name, noise in SCENARIOS.items():
            same = rates.looks(noise, runs)
            margin = rates.looks(noise, runs, effect=rates.MARGIN, seed=5)
            self._at_most(same.failed, 0.05, f"sequential false FAIL, {name}", runs)
            self._at_most(margin.passed, 0.05, f"sequential false PASS, {name}", runs)
            rows.append([name, _share(same.fixed), _share(same.failed), _share(margin.passed)])
        headers = [
            "scenario",
            "one look, false FAIL",
            "sequence, false FAIL",
            "sequence, false PASS",
        ]
        text = "A look after every block from the tenth on; any may decide. Limit for the sequence: .05."
        return _section("Peeking (`--sequential`)", text, table(headers, rows))

    def _at_most(self, found: float, limit: float, what: str, runs: int | None = None) -> None:
        chance = 2 * (limit * (1 - limit) / (runs or self.runs)) ** 0.5
        if found > limit + chance:
            self.broken.append(f"{what}: {found:.3f}, allowed {limit}")

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


def table(headers: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [list(headers), *rows]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(value: float) -> str:
    return f"{value:.3f}"
