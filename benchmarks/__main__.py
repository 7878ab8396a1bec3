"""``python -m benchmarks [QUESTION...] [--full|--tiny]``: ask questions, print and keep the answers."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from benchmarks import results
from benchmarks.goals import verdicts
from benchmarks.question import QUESTIONS, Form, load
from benchmarks.runner import run
from benchmarks.tables import table


def main() -> int:
    """Exit status 1 if a contestant of ours or a floor failed."""
    options = _options()
    form: Form = "full" if options.full else "tiny" if options.tiny else "quick"
    failed = [name for name in options.question or QUESTIONS if not ask(name, form, options.results)]
    print(verdicts(results.read(options.results)))
    if options.plots:
        from benchmarks.plots import draw

        draw(results.read(options.results), options.results)
    return int(bool(failed))


def ask(name: str, form: Form, directory: Path) -> bool:
    """Whether our own contestants could answer; the answer is printed and kept."""
    question = load(name)
    started = time.monotonic()
    rows = run(question, form)
    found = results.result(question, form, rows)
    text = table(question, found)
    results.write(found, text, directory)
    print(f"## {name} ({time.monotonic() - started:.0f} s)\n\n{text}", flush=True)
    ours = [row for row in rows if row.contestant.startswith(("ours", "floor", "bare"))]
    return not any(row.failure and not row.failure.startswith("skipped") for row in ours)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("question", nargs="*", choices=[*QUESTIONS, []], help="all of them, unless named")
    parser.add_argument("--full", action="store_true", help="every case, and more batches")
    parser.add_argument("--tiny", action="store_true", help="whether it runs at all: floors and ours alone")
    parser.add_argument("--plots", action="store_true", help="draw the results (dependency group bench)")
    parser.add_argument("--results", type=Path, default=results.DIRECTORY, help="directory of the answers")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
