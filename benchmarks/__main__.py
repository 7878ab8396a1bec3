"""``python -m benchmarks [QUESTION...] [--full|--tiny]``: ask questions, print the answers and save them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import results
from benchmarks.goals import goal_table
from benchmarks.question import QUESTIONS, Form, load_question
from benchmarks.results import Measurement
from benchmarks.runner import run
from benchmarks.tables import result_table


def main() -> int:
    """Ask the questions. The exit status is 1 if one of ours, a floor or the bare app failed."""
    options = _options()
    form: Form = "full" if options.full else "tiny" if options.tiny else "quick"
    answered = [ask(name, form, options.results) for name in options.question or QUESTIONS]
    saved = results.load_results(options.results)
    print(goal_table(saved))
    if options.plots:
        from benchmarks.plots import draw

        draw(saved, options.results)
    return int(not all(answered))


def ask(name: str, form: Form, directory: Path) -> bool:
    """Print and save the answer. Returns whether ours, the floor and the bare app could be measured."""
    question = load_question(name)
    started = time.monotonic()
    measurements = run(question, form)
    result = results.make_result(question, form, measurements)
    text = result_table(question, result)
    results.save_result(result, text, directory)
    print(f"## {name} ({time.monotonic() - started:.0f} s)\n\n{text}", flush=True)
    return not any(map(_is_our_failure, measurements))


def _is_our_failure(measurement: Measurement) -> bool:
    if not measurement.contestant.startswith(("ours", "floor", "bare")) or not measurement.failure:
        return False
    return not measurement.failure.startswith("skipped")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("question", nargs="*", choices=[*QUESTIONS, []], help="the questions (default: all)")
    parser.add_argument("--full", action="store_true", help="measure every case, with more batches")
    parser.add_argument("--tiny", action="store_true", help="only check that ours and the floors run")
    parser.add_argument("--plots", action="store_true", help="draw the results (dependency group bench)")
    parser.add_argument("--results", type=Path, default=results.DIRECTORY, help="directory for the results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
