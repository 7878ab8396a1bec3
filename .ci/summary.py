"""Summarize the reports that pytest wrote for each environment: ``python .ci/summary.py FOLDER``.

Prints one line per environment, and last ``N passed, N failed`` over all of them. The exit status is 1 if a
test failed or no test ran.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def count(report: Path) -> tuple[int, int]:
    """The numbers of passed and failed tests. An error in setup or teardown counts as a failure."""
    passed = failed = 0
    for case in ET.parse(report).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" not in outcomes:
            passed += 1
    return passed, failed


def main(folder: str) -> int:
    """Print the summary, and return the exit status."""
    total_passed = total_failed = 0
    for report in sorted(Path(folder).glob("*.xml")):
        passed, failed = count(report)
        print(f"{report.stem}: {passed} passed, {failed} failed")
        total_passed, total_failed = total_passed + passed, total_failed + failed
    print(f"{total_passed} passed, {total_failed} failed")
    return int(total_failed > 0 or total_passed == 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
