"""What an import brings along: a web process loads no exporter's libraries before it exports."""

from __future__ import annotations

import subprocess
import sys

import pytest

PUSHING = ("grpc", "requests", "opentelemetry.exporter")
HEAVY = (*PUSHING, "prometheus_client", "opentelemetry.sdk", "google.protobuf", "pytest")
MODULES = (
    "dualmetrics",
    "dualmetrics.asgi",
    "dualmetrics.wsgi",
    "dualmetrics_flask",
    "dualmetrics_starlette",
)

FLASK = """
from flask import Flask
from dualmetrics_flask import DualMetrics
app = Flask("app")
DualMetrics(app)
assert app.test_client().get("/nowhere").status_code == 404
"""

LISTING = """
import sys
print(*sorted(name for name in sys.modules if name.startswith({heavy!r})))
"""


def loaded(program: str) -> list[str]:
    """The heavy modules that a fresh interpreter has loaded after ``program``."""
    code = program + LISTING.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", MODULES)
def test_importing_loads_no_exporter(module: str) -> None:
    assert loaded(f"import {module}\n") == []


def test_an_app_without_an_endpoint_never_loads_grpc_or_requests() -> None:
    assert [name for name in loaded(FLASK) if name.startswith(PUSHING)] == []


def test_an_app_that_bridges_nothing_loads_no_other_metrics_library() -> None:
    assert [
        name for name in loaded(FLASK) if name.startswith(("prometheus_client", "opentelemetry.sdk.metrics"))
    ] == []


def test_the_listing_would_show_them() -> None:
    assert "opentelemetry.sdk.resources" in loaded("import opentelemetry.sdk.resources\n")
