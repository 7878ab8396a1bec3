"""Records the apps of Flask that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from flask import Flask, got_request_exception

from dualmetrics.zero_code import Patch, before_first_call, own_class, unchanged_telemetry
from dualmetrics_flask import outermost
from dualmetrics_flask.page import rules_for
from dualmetrics_flask.rules import note_exception


def install() -> Patch:
    """Have every app record from its first request on."""
    kind: Any = own_class(Flask, "flask")
    is_plain = kind.__call__ is outermost.FLASK_CALL
    patch = before_first_call(kind, "__call__", _record)
    if is_plain:
        outermost.FLASK_CALL = kind.__call__
    return patch


def _record(app: Flask, call: object) -> None:
    telemetry = unchanged_telemetry()
    if telemetry is not None:
        path = telemetry.settings.prometheus_path
        middleware = outermost.record_outermost(app, telemetry, serve_metrics=True)
        middleware.yield_page(lambda: next((rule.endpoint for rule in rules_for(app, path)), None))
        got_request_exception.connect(note_exception, app)
