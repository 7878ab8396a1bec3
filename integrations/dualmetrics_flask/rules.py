"""Which URL rule matched a request, and which exception became its response."""

from __future__ import annotations

from typing import Any
from weakref import ref

from flask import Flask, request

from dualmetrics.wsgi import Environ, set_error

RULE_KEY = "dualmetrics_flask.rule"
"""The environ key of the rule that matched a request whose handler raised."""

REQUEST_KEY = "dualmetrics_flask.request"
"""The environ key of a request that passed by our middleware. Another one asks for its rule after its end."""


class RuleNamer:
    """Names the routes of one app by their rules, as the app wrote them.

    Does not refer to the app, which would be a reference cycle.
    """

    def __init__(self, app: Flask) -> None:
        self._app = ref(app)
        self._url_map = app.url_map

    def __call__(self, environ: Environ) -> str | None:
        """The rule of this app that matched. None for a 404, 405 or redirect by Flask's router.

        Werkzeug documents this environ key (``Request(populate_request=True)``), and reading it is several
        times faster than ``flask.request``. Flask empties it before an exception that it propagates reaches
        the middleware.
        """
        rule = getattr(environ.get("werkzeug.request"), "url_rule", None) or _kept_rule(environ)
        return rule.rule if rule is not None and (rule.map is self._url_map or self._is_own(rule)) else None

    def is_websocket(self, environ: Environ) -> bool:
        """Whether the rule that matched serves websockets, as those of flask-sock do."""
        rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
        return rule is not None and rule.websocket

    def _is_own(self, rule: Any) -> bool:
        app = self._app()
        if app is not None:
            self._url_map = app.url_map  # an app may replace it
        return rule.map is self._url_map


def _kept_rule(environ: Environ) -> Any:
    return environ.get(RULE_KEY) or getattr(environ.get(REQUEST_KEY), "url_rule", None)


def note_exception(app: Flask, exception: BaseException, **_: object) -> None:
    """Keep the type and the rule of an exception that Flask propagates or answers with a 500."""
    set_error(request.environ, exception)
    if request.url_rule is not None:
        request.environ[RULE_KEY] = request.url_rule
