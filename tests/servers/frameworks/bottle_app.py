"""The Bottle app."""

import os
from typing import Any

from bottle import Bottle

from dualmetrics_bottle import DualMetrics


def work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())


jobs: Any = Bottle()
jobs.get("/<number:int>", callback=work)
app: Any = Bottle()
app.mount("/work/", jobs)
DualMetrics(app)
