"""Records the applications of Tornado that do not know dualmetrics."""

from __future__ import annotations

from typing import Any

from tornado import httputil, web

from dualmetrics.zero_code import Patch, before_first_call, own_class, unchanged_telemetry
from dualmetrics_tornado import PageHandler, Watch
from dualmetrics_tornado.rules import patterns


def install() -> Patch:
    """Have every application record from its first request on."""
    return before_first_call(own_class(web.Application, "tornado"), "start_request", _record)


def _record(app: web.Application, start_request: Any) -> Any:
    telemetry = unchanged_telemetry()
    if telemetry is None:
        return None
    find_handler = app.find_handler
    path = telemetry.settings.prometheus_path

    def find(request: httputil.HTTPServerRequest, **kwargs: Any) -> httputil.HTTPMessageDelegate | None:
        if request.path == path and path not in patterns(app):
            return app.get_handler_delegate(request, PageHandler, {"telemetry": telemetry})
        return find_handler(request, **kwargs)

    app.find_handler = find  # type: ignore[assignment]  # for this application alone
    watch = Watch(telemetry, app, start_request)
    telemetry.app_built()
    return watch.start
