"""``python -m benchmarks.document``: put the results into docs/performance.md, between its marks."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import results
from benchmarks.goals import verdicts
from benchmarks.question import QUESTIONS, load
from benchmarks.tables import table

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def filled(text: str, parts: Mapping[str, str]) -> str:
    """The text with each part between ``<!-- NAME -->`` and ``<!-- end -->``. Or KeyError."""

    def put(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n\n{parts[found[1]].strip()}\n\n<!-- end -->"

    return re.sub(r"<!-- (\w+) -->.*?<!-- end -->", put, text, flags=re.DOTALL)


def parts(directory: Path = results.DIRECTORY) -> dict[str, str]:
    """The tables of all questions, and the goals."""
    found = results.read(directory)
    tables = {
        name: table(load(name), found[name]) if name in found else "Not measured yet." for name in QUESTIONS
    }
    return {"goals": verdicts(found), **tables}


def main() -> int:
    """Rewrite the page."""
    PAGE.write_text(filled(PAGE.read_text(), parts()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
