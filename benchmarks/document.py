"""``python -m benchmarks.document``: put the saved results into docs/performance.md.

A section of the page is a comment ``<!-- QUESTION -->``, a caption and a table. Sections of questions that
have no saved result stay as they are. The goals are replaced when all of them were measured.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks import results
from benchmarks.goals import NOT_MEASURED, goal_table
from benchmarks.question import load_question
from benchmarks.tables import result_table

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


_SECTION = re.compile(r"<!-- (\w+) -->\n(?:[^|\n].*\n\n)?(?:\|.*\n)*")


def fill_page(page: str, sections: Mapping[str, str]) -> str:
    """Replace the sections of the page that have new text."""

    def replacement(section: re.Match[str]) -> str:
        name = section[1]
        return f"<!-- {name} -->\n{sections[name]}" if name in sections else section[0]

    return _SECTION.sub(replacement, page)


def sections(directory: Path = results.DIRECTORY) -> dict[str, str]:
    """The tables of all questions that have a saved result, and of the goals."""
    saved = results.load_results(directory)
    tables = {name: result_table(load_question(name), result) for name, result in saved.items()}
    goals = goal_table(saved)
    return tables if NOT_MEASURED in goals else {"goals": goals, **tables}


def main() -> int:
    """Rewrite the page."""
    PAGE.write_text(fill_page(PAGE.read_text(), sections()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
