"""The WSGI app of the tests: a Flask app with the one line that is documented."""

from __future__ import annotations

import os

from flask import Flask
from opentelemetry import metrics

from dualmetrics_flask import DualMetrics

app = Flask(__name__)
DualMetrics(app)
jobs = metrics.get_meter("tests").create_counter("jobs")
if "RECORD_AT_IMPORT" in os.environ:
    jobs.add(1, {"where": "import"})


@app.get("/work/<int:number>")
def work(number: int) -> str:
    """Count in a counter of the app, and answer with the worker's pid."""
    jobs.add(1, {"where": "request"})
    return str(os.getpid())
