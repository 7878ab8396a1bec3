"""Sum up the reports that pytest wrote, one an environment: ``python .ci/summary.py FOLDER``.

A line an environment, then ``N passed, N failed`` over all of them alone on the last line. Exit status 1 if a
test failed or none ran.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


def count(report: Path) -> tuple[int, int]:
    """How many tests passed and failed; an error before or after a test is a failure of it."""
    passed = failed = 0
    for case in ET.parse(report).iter("testcase"):
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            failed += 1
        elif "skipped" not in outcomes:
            passed += 1
    return passed, failed


def main(folder: str) -> int:
    """Print the lines."""
    passed = failed = 0
    for report in sorted(Path(folder).glob("*.xml")):
        here = count(report)
        print(f"{report.stem}: {here[0]} passed, {here[1]} failed")
        passed, failed = passed + here[0], failed + here[1]
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0 or passed == 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
