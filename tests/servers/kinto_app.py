"""Kinto, an unchanged public app with metrics of prometheus_client, and the two documented lines."""

from __future__ import annotations

import os

from pyramid.paster import get_app

from dualmetrics.wsgi import MetricsMiddleware

app = MetricsMiddleware(get_app(os.environ["KINTO_INI"]), registries="default")
