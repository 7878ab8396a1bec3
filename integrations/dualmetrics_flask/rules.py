"""Which URL rule matched a request, and which exception became its response."""

from __future__ import annotations

from flask import Flask, request

from dualmetrics.wsgi import Environ, set_error

RULE_KEY = "dualmetrics_flask.rule"
"""The environ key of the rule that matched a request whose handler raised."""


def rule_of(environ: Environ) -> str | None:
    """The URL rule that matched, as the app wrote it. None for a 404, 405 or redirect by Flask's router.

    Werkzeug documents this environ key (``Request(populate_request=True)``), and reading it is several times
    faster than ``flask.request``. Flask empties it before an exception that it propagates reaches the
    middleware.
    """
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return rule.rule if rule is not None else environ.get(RULE_KEY)


def note_exception(app: Flask, exception: BaseException, **_: object) -> None:
    """Keep the type and the rule of an exception that Flask propagates or answers with a 500."""
    set_error(request.environ, exception)
    if request.url_rule is not None:
        request.environ[RULE_KEY] = request.url_rule.rule
