"""Which URL rule matched a request, and which exception became its response."""

from __future__ import annotations

from typing import Any

from flask import Flask, request

from dualmetrics.wsgi import set_error


class RuleNamer:
    """Names routes by their rules, as the app wrote them. An object is for one app and one Telemetry."""

    def __call__(self, request: Any) -> str | None:
        """The rule that matched a request of Flask. None for a 404, 405 or redirect by Flask's router."""
        rule = getattr(request, "url_rule", None)
        return rule.rule if rule is not None else None

    def is_websocket(self, request: Any) -> bool:
        """Whether the rule that matched serves websockets, as those of flask-sock do."""
        rule = getattr(request, "url_rule", None)
        return rule is not None and rule.websocket


def note_exception(app: Flask, exception: BaseException, **_: object) -> None:
    """Keep the type of an exception that Flask propagates or answers with a 500."""
    set_error(request.environ, exception)
