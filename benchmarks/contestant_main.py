"""A contestant's process: reads how much to do, does it, prints what it measured.

``python -m benchmarks.contestant_main asgi floor 0``; a line with a number in, a line of JSON out.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TextIO

from benchmarks.question import load


def main() -> None:
    """Do batch after batch until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a contestant prints is no answer
    try:
        _serve(answers)
    except Exception as error:
        _tell(answers, {"failure": f"{type(error).__name__}: {error}"})
        raise


def _serve(answers: TextIO) -> None:
    question, name, case = sys.argv[1:]
    measure = load(question).contestant(name).make(int(case))
    _tell(answers, {"ready": True})
    for line in sys.stdin:
        _tell(answers, {"values": dict(measure(int(line)))})


def _tell(answers: TextIO, answer: object) -> None:
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
