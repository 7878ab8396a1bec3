"""README is correct: its programs run, its page is the real page, and its table has all settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dualmetrics.config.options import options_of
from dualmetrics.config.settings import Settings
from tests.programs import run_python

README = Path("README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
QUICKSTARTS = [program for program in PROGRAMS if "/users/" in program]
REQUESTS = Path("docs/requests.md").read_text(encoding="utf-8")
MORE_PROGRAMS = re.findall(r"^```python\n(.*?)^```", REQUESTS, re.MULTILINE | re.DOTALL)
HELP_LINES = re.findall(r"^# (?:HELP|TYPE) http_.*$", README, re.MULTILINE)
TABLE = README.partition("| variable | argument |")[2].partition("\n\n")[0]
VARIABLES = set(re.findall(r"`((?:OTEL|PROMETHEUS|DUALMETRICS)_[A-Z0-9_]+)`", TABLE))
NOT_SETTINGS = {"OTEL_SEMCONV_STABILITY_OPT_IN"}
"""A fallback for ``DUALMETRICS_CONVENTION``."""

REQUEST_AND_SCRAPE = {
    "flask": "assert app.test_client().get('/users/7').status_code == 200\n"
    "page = app.test_client().get('/metrics').text\n",
    "starlette": "from starlette.testclient import TestClient\n"
    "assert TestClient(app).get('/users/7').status_code == 200\n"
    "page = TestClient(app).get('/metrics').text\n",
    "wsgi": "from werkzeug.test import Client\n"
    "assert Client(app).get('/users/7').status_code == 200\n"
    "page = Client(app).get('/metrics').text\n",
}
CHECK = (
    "assert 'http_requests_total{' in page, page\n"
    "assert '/users/' in page, page\n"
    f"assert set({HELP_LINES!r}) <= set(page.splitlines()), page\n"
)


EXCLUDED = (
    "assert app.test_client().get('/health').text == 'fine'\n"
    "assert 'http_requests' not in app.test_client().get('/metrics').text\n"
)
DECLARED = (
    "from starlette.testclient import TestClient\n"
    "TestClient(app).get('/users/7?pro=1', headers={'X-Client': 'android'})\n"
    "page = TestClient(app).get('/metrics').text\n"
    "labels = 'client=\"_OTHER\"', 'plan=\"pro\"', 'tenant=\"a\"'\n"
    "assert all(label in page for label in labels), page\n"
)


def client_of(program: str) -> str:
    return "flask" if "flask" in program else "wsgi" if ".wsgi" in program else "starlette"


@pytest.mark.parametrize("program", PROGRAMS, ids=[f"program{number}" for number in range(len(PROGRAMS))])
def test_the_programs_run(program: str) -> None:
    run_python(program)


def test_the_programs_of_the_page_on_requests_do_what_it_says() -> None:
    excluding, declaring = MORE_PROGRAMS
    run_python(excluding + EXCLUDED)
    run_python(declaring + DECLARED)


@pytest.mark.parametrize("program", QUICKSTARTS, ids=client_of)
def test_the_quickstarts_have_the_page_that_readme_shows(program: str) -> None:
    run_python(program + REQUEST_AND_SCRAPE[client_of(program)] + CHECK)


def test_there_is_a_quickstart_for_each_framework() -> None:
    for module in ("flask", "fastapi", "starlette", "dualmetrics.asgi", "dualmetrics.wsgi"):
        assert any(f"from {module}" in program for program in QUICKSTARTS), module


def test_the_table_has_exactly_the_settings_that_exist() -> None:
    options = options_of(Settings)
    read = {variable for option in options.values() for variable in option.variables}
    assert set(map(_generic, VARIABLES)) == set(map(_generic, read)) | NOT_SETTINGS
    assert {name for name in options if f"`{name}`" not in TABLE} == set()


def _generic(variable: str) -> str:
    """The form without ``_METRICS``, which README describes once for all variables."""
    return variable.replace("_OTLP_METRICS_", "_OTLP_")


def test_every_variable_in_the_text_is_in_the_table() -> None:
    mentioned = set(re.findall(r"\b(?:OTEL|PROMETHEUS|DUALMETRICS)_[A-Z0-9_]+\b", README))
    assert {name for name in mentioned - VARIABLES if not name.endswith("_")} == set()
