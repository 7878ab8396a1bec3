"""The app of a contestant for a real server: ``uvicorn --factory benchmarks.app_factories:asgi``."""

from __future__ import annotations

import os
from typing import Any

from benchmarks import asgi_apps, wsgi_apps

APP = "BENCHMARK_APP"
"""The variable with the name of the function that makes the app."""


def asgi() -> Any:
    """One of `asgi_apps`."""
    return getattr(asgi_apps, os.environ[APP])(0)


def wsgi() -> Any:
    """One of `wsgi_apps`."""
    return getattr(wsgi_apps, os.environ[APP])(0)
