"""No failure ends with the exit status of a verdict, whatever becomes of the process and its output."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dualmetrics.cli.commands import dualmetrics_command
from tests.cli.commands import DUALMETRICS, running
from tests.experiments.exporters import Exporter, serving

PLAN = ["plan", "--rate", "50", "--error-ratio", "0.5%"]


def run(*arguments: str | bytes, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DUALMETRICS, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
        env={**os.environ, **env},
    )


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in `dualmetrics plan`."""

    def fail(*arguments: object, **options: object) -> None:
        raise KeyError("\x1b[31m")

    monkeypatch.setattr("dualmetrics.experiments.planning.plan", fail)


@pytest.mark.usefixtures("broken")
def test_an_unexpected_error_is_reported_as_a_bug_with_a_status_of_its_own() -> None:
    result = CliRunner().invoke(dualmetrics_command, PLAN)
    assert result.exit_code == 70
    assert "unexpected KeyError in plan.py, line " in result.output
    assert "report it" in result.output
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output


@pytest.mark.usefixtures("broken")
def test_the_traceback_is_shown_on_request() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["--traceback", *PLAN])
    assert result.exit_code == 70
    assert "Traceback (most recent call last)" in result.output


def test_errors_reach_a_caller_that_asks_for_them() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["plan"], standalone_mode=False)
    assert isinstance(result.exception, click.MissingParameter)


@pytest.mark.server
@pytest.mark.parametrize("arguments", [PLAN, ["compare", "--help"]])
def test_output_that_nobody_reads_is_not_a_verdict(arguments: list[str]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [*DUALMETRICS, *arguments], stdout=write_end, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.server
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [PLAN, ["--version"]])
def test_a_full_disk_is_named(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*DUALMETRICS, *arguments], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert (done.returncode, done.stderr) == (5, b"Error: No space left on device\n")


@pytest.mark.server
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_verdict_that_nobody_reads_does_not_become_another_verdict(form: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with serving(Exporter()) as address:
        url = f"http://{address}/metrics"
        done = subprocess.run(
            [*DUALMETRICS, "compare", "--pages", url, url, "--watch", "0s", "--format", form],
            stdout=write_end,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.server
def test_an_interrupted_comparison_is_not_a_verdict() -> None:
    with serving(Exporter()) as address:
        url = f"http://{address}/metrics"
        with running("compare", "--pages", url, url, columns=80) as command:
            command.wait_for("watching both pages")
            assert command.stop(signal.SIGINT) == 130
            assert "Traceback" not in command.output


@pytest.mark.server
def test_the_end_of_the_input_at_a_question_removes_nothing(tmp_path: Path) -> None:
    assert run("experiment", "init", "shop", "--in", str(tmp_path)).returncode == 0
    done = run("experiment", "clean", str(tmp_path / "shop"))
    assert done.returncode == 130
    assert done.stderr.endswith("stopped\n")
    assert (tmp_path / "shop" / "experiment.json").exists()


@pytest.mark.server
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["experiment", "status", b"\xff\xfe"], 4),
        (["compare", b"\xff", "--prometheus", b"http://127.0.0.1:1/\xff"], 5),
        ([b"\xff"], 2),
    ],
)
def test_arguments_that_are_no_text_are_named(arguments: list[str | bytes], status: int) -> None:
    done = run(*arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.isprintable() or done.stderr.splitlines()[-1].startswith("Error: ")


@pytest.mark.server
@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_a_locale_without_other_letters_gets_ascii(variables: dict[str, str]) -> None:
    done = run(*PLAN, **variables)
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert "error ratio" in done.stdout
    done = run("experiment", "status", "caf\xe9", **variables)
    assert done.returncode == 4
    assert done.stderr.isascii()


@pytest.mark.server
def test_a_closed_output_is_no_error() -> None:
    code = f"import os; os.close(1); os.execv({sys.executable!r}, {[*DUALMETRICS, *PLAN]!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
