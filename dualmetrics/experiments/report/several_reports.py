"""The reports about several candidates, in one document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.json_report import REPORT_VERSION
from dualmetrics.experiments.several_variants import overall_verdict


def join_reports(form: str, comparisons: Sequence[Comparison], reports: Sequence[str]) -> str:
    """Join a report for each candidate. JSON has the verdict about all of them, too."""
    if form == "json":
        return _join_json(comparisons, reports)
    if form == "html":
        return _join_html(reports)
    return "\n".join(reports)


def _join_json(comparisons: Sequence[Comparison], reports: Sequence[str]) -> str:
    verdict = overall_verdict([each.verdict for each in comparisons])
    joined = {
        "version": REPORT_VERSION,
        "experiment": comparisons[0].experiment,
        "verdict": verdict.name,
        "comparisons": [json.loads(report) for report in reports],
    }
    return json.dumps(joined, indent=2) + "\n"


def _join_html(reports: Sequence[str]) -> str:
    """Put the bodies of all pages into the first."""
    head, body, _ = reports[0].partition("<body>")
    bodies = [report.partition("<body>")[2].rpartition("</body>")[0] for report in reports]
    return f"{head}{body}{'<hr>'.join(bodies)}</body></html>\n"
