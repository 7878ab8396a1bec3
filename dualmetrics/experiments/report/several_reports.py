"""The reports about several candidates, in one document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dualmetrics.experiments.comparison import Comparison
from dualmetrics.experiments.report.html_parts import escape, make_html_table
from dualmetrics.experiments.report.json_report import REPORT_VERSION
from dualmetrics.experiments.report.junit_report import junit_document
from dualmetrics.experiments.report.summary import headline
from dualmetrics.experiments.several_variants import overall_verdict


def join_reports(form: str, comparisons: Sequence[Comparison], reports: Sequence[str]) -> str:
    """Join a report for each candidate. JSON has the verdict about all of them, too."""
    if form == "json":
        return _join_json(comparisons, reports)
    if form == "html":
        return _join_html(comparisons, reports)
    if form == "junit":
        return junit_document(comparisons)
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


def _join_html(comparisons: Sequence[Comparison], reports: Sequence[str]) -> str:
    """Put the bodies of all pages into the first, below the verdict about all of them."""
    head, body, _ = reports[0].partition("<body>")
    bodies = [report.partition("<body>")[2].rpartition("</body>")[0] for report in reports]
    return f"{head}{body}{_overview(comparisons)}{'<hr>'.join(bodies)}</body></html>\n"


def _overview(comparisons: Sequence[Comparison]) -> str:
    verdict = overall_verdict([each.verdict for each in comparisons]).name
    rows = [(each.question.candidate, each.verdict.name, headline(each)) for each in comparisons]
    sentence = f"{len(comparisons)} candidates were compared with {comparisons[0].question.baseline}."
    return (
        f'<p class="verdict {verdict}"><b>{verdict}</b>{escape(sentence)}</p>'
        f"{make_html_table(('candidate', 'verdict', ''), rows)}<hr>"
    )
