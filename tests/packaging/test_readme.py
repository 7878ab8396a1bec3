"""README says what is so: its programs run, and its settings are the settings."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dualmetrics.config.options import options_of
from dualmetrics.config.settings import Settings

README = Path("README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
TABLE = README.partition("| variable | argument |")[2].partition("\n\n")[0]
VARIABLES = set(re.findall(r"`((?:OTEL|PROMETHEUS|DUALMETRICS)_[A-Z0-9_]+)`", TABLE))
FILES = {f"OTEL_EXPORTER_OTLP_{name}" for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")}
OFFICIAL = {"OTEL_RESOURCE_ATTRIBUTES", "OTEL_SEMCONV_STABILITY_OPT_IN", *FILES}
"""Variables that OpenTelemetry reads itself, and one that stands behind ours."""

ASK = {
    "flask": "assert app.test_client().get('/users/7').status_code == 200\n"
    "page = app.test_client().get('/metrics').text\n",
    "starlette": "from starlette.testclient import TestClient\n"
    "assert TestClient(app).get('/users/7').status_code == 200\n"
    "page = TestClient(app).get('/metrics').text\n",
    "wsgi": "from werkzeug.test import Client\n"
    "assert Client(app).get('/users/7').status_code == 200\n"
    "page = Client(app).get('/metrics').text\n",
}
CHECK = "assert 'http_requests_total{' in page, page\nassert '/users/' in page, page\n"


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def protocol(program: str) -> str:
    return "flask" if "flask" in program else "wsgi" if ".wsgi" in program else "starlette"


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"program{number}" for number in range(len(PROGRAMS))])
def test_the_programs_run(program: str) -> None:
    run(program)


@pytest.mark.parametrize("program", [text for text in PROGRAMS if "/users/" in text], ids=protocol)
def test_the_quickstarts_record_and_show(program: str) -> None:
    run(program + ASK[protocol(program)] + CHECK)


def test_there_is_a_quickstart_for_each_framework() -> None:
    quick = [text for text in PROGRAMS if "/users/" in text]
    for module in ("flask", "fastapi", "starlette", "dualmetrics.asgi", "dualmetrics.wsgi"):
        assert any(f"from {module}" in text for text in quick), module


def test_the_table_has_every_setting_and_no_other() -> None:
    options = options_of(Settings)
    read = {name.replace("_OTLP_METRICS_", "_OTLP_") for each in options.values() for name in each.variables}
    named = {name.replace("_OTLP_METRICS_", "_OTLP_") for name in VARIABLES}
    assert named == read | OFFICIAL
    assert {name for name in options if f"`{name}`" not in TABLE} == set()


def test_every_variable_that_is_mentioned_is_in_the_table() -> None:
    mentioned = set(re.findall(r"\b(?:OTEL|PROMETHEUS|DUALMETRICS)_[A-Z0-9_]+\b", README))
    assert {name for name in mentioned - VARIABLES if not name.endswith("_")} == set()
