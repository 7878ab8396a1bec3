"""The program of a contestant's process: ``python -m benchmarks.contestant_main asgi floor 0``.

Each line on standard input is a number of repetitions. For each, the process writes one line of JSON to
standard output. `benchmarks.runner` starts these processes.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from benchmarks.question import load_question


def main() -> None:
    """Run batches until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a contestant prints must not mix with the answers
    try:
        _run_batches(answers)
    except Exception as error:
        _write(answers, {"failure": f"{type(error).__name__}: {error}"})
        raise


def _run_batches(answers: TextIO) -> None:
    question, name, case = sys.argv[1:]
    measure = load_question(question).contestant(name).make(int(case))
    _write(answers, {"ready": True})
    for line in sys.stdin:
        _write(answers, {"values": dict(measure(int(line)))})


def _write(answers: TextIO, answer: object) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
