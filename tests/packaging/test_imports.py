"""What an import loads: a web process loads no library of an exporter before it needs it."""

from __future__ import annotations

import pytest

from tests.programs import run_python

PUSHING = ("grpc", "requests", "opentelemetry.exporter")
HEAVY = (*PUSHING, "prometheus_client", "opentelemetry.sdk", "google.protobuf", "pytest")
MODULES = (
    "dualmetrics",
    "dualmetrics.asgi",
    "dualmetrics.wsgi",
    "dualmetrics_django.asgi",
    "dualmetrics_django.wsgi",
    "dualmetrics_flask",
    "dualmetrics_aiohttp",
    "dualmetrics_quart",
    "dualmetrics_litestar",
    "dualmetrics_falcon.asgi",
    "dualmetrics_falcon.wsgi",
    "dualmetrics_bottle",
    "dualmetrics_pyramid",
    "dualmetrics_tornado",
    "dualmetrics_starlette",
)

FLASK = """
from flask import Flask
from dualmetrics_flask import DualMetrics
app = Flask("app")
DualMetrics(app)
assert app.test_client().get("/nowhere").status_code == 404
"""

PRINT_MODULES = """
import sys
print(*sorted(name for name in sys.modules if name.startswith({heavy!r})))
"""


def heavy_modules_after(program: str) -> list[str]:
    """Return the heavy modules that a new interpreter has loaded after ``program``."""
    return run_python(program + PRINT_MODULES.format(heavy=HEAVY)).stdout.split()


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_public_module_loads_no_exporter(module: str) -> None:
    assert heavy_modules_after(f"import {module}\n") == []


def test_an_app_without_an_endpoint_loads_neither_grpc_nor_requests() -> None:
    assert [name for name in heavy_modules_after(FLASK) if name.startswith(PUSHING)] == []


def test_an_app_without_bridges_loads_no_other_metrics_library() -> None:
    bridged = ("prometheus_client", "opentelemetry.sdk.metrics")
    assert [name for name in heavy_modules_after(FLASK) if name.startswith(bridged)] == []


def test_the_check_finds_a_heavy_module() -> None:
    assert "opentelemetry.sdk.resources" in heavy_modules_after("import opentelemetry.sdk.resources\n")
