"""Run all simulations and write docs/experiments-validation.md; exit status 1 if a limit is not kept."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.experiments.simulation.report import Report

PAGE = Path("docs/experiments-validation.md")
HEAD = """\
# Experiments: how often the verdict is right

Written by `tox -e simulate` ({runs} experiments a number, a quarter of that for latency, power and peeking;
fixed seeds; {minutes:.1f} minutes). Each experiment is eight hours in steps of a minute, 96,000 requests of
both variants (latency: 960,000). *Noise* moves the logarithm of a variant's error rate from step to step;
*AR* is its memory from one step to the next. Kayenta's rule (Mann-Whitney, tolerance .25, 98 % interval) and
a plain Mann-Whitney test see the same data in 40 steps.

{result}
"""


def main() -> None:
    """Everything."""
    parser = argparse.ArgumentParser(prog="python -m tests.experiments.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="experiments a number")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page that is written")
    given = parser.parse_args()
    begun = time.monotonic()
    report = Report(given.runs, given.page.parent / "images")
    parts = []
    for part in report.sections():
        parts.append(part)
        sys.stdout.write(part + "\n")
        sys.stdout.flush()
    minutes = (time.monotonic() - begun) / 60
    result = "\n".join(f"- NOT KEPT: {each}" for each in report.broken) or "All limits are kept."
    head = HEAD.format(runs=given.runs, minutes=minutes, result=result)
    given.page.write_text("\n".join([head, *parts]), encoding="utf-8")
    sys.stdout.write(result + "\n")
    sys.exit(bool(report.broken))


if __name__ == "__main__":
    main()
