"""What an import of an integration needs and loads."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_importing_the_flask_integration_loads_no_exporter_and_no_other_framework() -> None:
    heavy = ("grpc", "requests", "prometheus_client", "opentelemetry.sdk", "starlette", "fastapi")
    code = f"import sys, dualmetrics_flask; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("dualmetrics_django.wsgi", "django", "django"),
        ("dualmetrics_django.asgi", "django", "django"),
        ("dualmetrics_aiohttp", "aiohttp", "aiohttp"),
        ("dualmetrics_quart", "quart", "quart"),
        ("dualmetrics_litestar", "litestar", "litestar"),
        ("dualmetrics_falcon.asgi", "falcon", "falcon"),
        ("dualmetrics_falcon.wsgi", "falcon", "falcon"),
        ("dualmetrics_bottle", "bottle", "bottle"),
        ("dualmetrics_pyramid", "pyramid", "pyramid"),
        ("dualmetrics_tornado", "tornado", "tornado"),
        ("dualmetrics_flask", "flask", "flask"),
        ("dualmetrics_starlette", "starlette", "starlette"),
        ("dualmetrics.testing", "pytest", "testing"),
    ],
)
def test_import_without_a_requirement_says_what_to_install(module: str, missing: str, extra: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; import {module}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f'pip install "dualmetrics[{extra}]"' in done.stderr.splitlines()[-1]
