"""The Quart app."""

import os

from quart import Blueprint, Quart

from dualmetrics_quart import DualMetrics

app = Quart(__name__)
jobs = Blueprint("jobs", __name__)


@jobs.get("/<int:number>")
async def work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())


app.register_blueprint(jobs, url_prefix="/work")
DualMetrics(app)
