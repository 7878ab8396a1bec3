"""The WSGI app of the tests with a tracer: OpenTelemetry's SDK and its instrumentation of Flask."""

from __future__ import annotations

import os

from flask import Flask
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider

from dualmetrics_flask import DualMetrics

app = Flask(__name__)
DualMetrics(app)
trace.set_tracer_provider(TracerProvider())
FlaskInstrumentor.instrument_app(app, excluded_urls="/metrics")
jobs = metrics.get_meter("tests").create_counter("jobs")


@app.get("/work/<int:number>")
def work(number: int) -> dict[str, object]:
    """Count in a counter of the app, and answer with the worker's pid and the trace id."""
    jobs.add(1, {"where": "request"})
    trace_id = trace.get_current_span().get_span_context().trace_id
    return {"pid": os.getpid(), "trace": trace.format_trace_id(trace_id)}
