"""The assignment that Flask documents for middleware. Only mypy objects to it, whatever is assigned."""
# pyright: reportUnnecessaryTypeIgnoreComment=false

from __future__ import annotations

from flask import Flask

from dualmetrics import wsgi

flask_app = Flask("shop")
flask_app.wsgi_app = wsgi.MetricsMiddleware(flask_app.wsgi_app, service_name="shop")  # type: ignore[method-assign]
