"""``dualmetrics run``: the command that it becomes, and what it leaves alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

FLASK = """
from flask import Flask
app = Flask("app")
app.get("/users/<int:user>")(lambda user: str(user))
"""
SCRAPE = """
client = app.test_client()
client.get("/users/1")
print(client.get("/metrics").text)
"""
ROUTE = 'http_requests_total{http_method="GET",http_route="/users/<int:user>",http_status_code="200"} 1'


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, "-c", "from dualmetrics.cli import main; main()", "run", *command]
    given = {**os.environ, "OTEL_METRICS_EXPORTER": "prometheus", **environment}
    return subprocess.run(script, check=False, env=given, capture_output=True, text=True, timeout=60)


def test_an_unchanged_app_records_and_has_the_page() -> None:
    done = run("python", "-c", FLASK + SCRAPE)
    assert ROUTE in done.stdout, done.stderr


def test_an_app_that_adds_dualmetrics_itself_keeps_its_settings() -> None:
    added = (
        "from dualmetrics_flask import DualMetrics; DualMetrics(app, service_name='shop', namespace='shop')\n"
    )
    done = run("python", "-W", "error", "-c", FLASK + added + SCRAPE)
    assert done.stderr == ""
    assert done.stdout.count("shop_" + ROUTE) == 1


def test_a_route_of_the_app_at_the_metrics_path_is_served_unchanged() -> None:
    own = "app.get('/metrics', endpoint='own')(lambda: 'the page of the app')\n"
    done = run("python", "-c", FLASK + own + SCRAPE)
    assert done.stdout == "the page of the app\n"
    assert "'own' of its own at the metrics path" in done.stderr


def test_a_disabled_instrumentation_records_nothing() -> None:
    done = run("python", "-c", FLASK + SCRAPE, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="x, dualmetrics_flask")
    assert "404 Not Found" in done.stdout


def test_no_framework_and_nothing_of_dualmetrics_is_imported_for_a_command_without_one() -> None:
    code = (
        "import sys; print(sorted({'dualmetrics', 'flask', 'opentelemetry', 'starlette'} & {*sys.modules}))"
    )
    assert run("python", "-c", code).stdout == "[]\n"


def test_the_own_sitecustomize_and_the_path_are_kept(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("seen = 'that of the user'")
    code = (
        "import os, sitecustomize; print(sitecustomize.seen, os.environ['PYTHONPATH'].split(os.pathsep)[1:])"
    )
    done = run("python", "-c", code, PYTHONPATH=f"{tmp_path}{os.pathsep}/elsewhere")
    assert done.stdout == f"that of the user ['{tmp_path}', '/elsewhere']\n"


def test_the_exit_status_and_signals_are_those_of_the_command() -> None:
    assert run("python", "-c", "raise SystemExit(41)").returncode == 41
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert run("python", "-c", kill).returncode == -signal.SIGTERM
    assert run("sh", "-c", "yes | head -n 1").stderr == ""  # SIGPIPE ends `yes`


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["no-such-command"], 127, "there is no such command"),
        (["/"], 126, "not executable"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_run_is_named(command: list[str], status: int, words: str) -> None:
    done = run(*command)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr


def test_a_wrong_setting_is_named_before_the_command_runs() -> None:
    done = run("python", "-c", "print('ran')", PROMETHEUS_PATH="metrics")
    assert (done.returncode, done.stdout) == (2, "")
    assert "PROMETHEUS_PATH" in done.stderr


def test_an_older_framework_is_named_and_serves(tmp_path: Path) -> None:
    """What our packages cannot import does not keep the app from being imported."""
    (tmp_path / "flask.py").write_text("class Flask: pass")
    done = run("python", "-c", "import flask; print(flask.Flask())", PYTHONPATH=str(tmp_path))
    assert "flask.Flask object" in done.stdout
    assert "apps of flask are not recorded" in done.stderr
