"""Factories of the apps for real servers: ``uvicorn --factory benchmarks.app_factories:asgi``."""

from __future__ import annotations

import os
from typing import Any

from benchmarks import asgi_apps, wsgi_apps

APP_VARIABLE = "BENCHMARK_APP"
"""The environment variable with the name of the function that makes the app."""


def asgi() -> Any:
    """One of `benchmarks.asgi_apps`."""
    return getattr(asgi_apps, os.environ[APP_VARIABLE])(0)


def wsgi() -> Any:
    """One of `benchmarks.wsgi_apps`."""
    return getattr(wsgi_apps, os.environ[APP_VARIABLE])(0)
