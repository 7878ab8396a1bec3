"""The command line, as a user calls it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dualmetrics import Telemetry
from dualmetrics.cli.commands import dualmetrics_command
from dualmetrics.cli.otlp_receiver import Receiver
from tests.waiting import wait_until

DUALMETRICS = [sys.executable, "-c", "from dualmetrics.cli import main; main()"]


def run_without(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as if a module were not installed."""
    code = f"import sys; sys.modules[{module!r}] = None; from dualmetrics.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_help_lists_each_command_with_a_description() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["--help"])
    assert result.exit_code == 0
    assert re.search(r"demo +Run the examples", result.output)
    assert re.search(r"receive +Receive metrics", result.output)


def test_an_unknown_command_is_a_usage_error() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["no-such-command"])
    assert result.exit_code == 2
    assert "no-such-command" in result.output


@pytest.mark.parametrize("module", ["click", "rich"])
def test_without_the_cli_extra_the_command_prints_what_to_install(module: str) -> None:
    done = run_without(module, "receive", "--help")
    assert done.returncode == 2
    assert 'pip install "dualmetrics[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["plan", "--rate", "1", "--error-ratio", "1%"], ["compare", "shop"], ["experiment", "status", "."]],
)
def test_without_the_experiments_extra_the_commands_print_what_to_install(arguments: list[str]) -> None:
    help_page = run_without("numpy", "--help")
    assert help_page.returncode == 0, help_page.stderr
    done = run_without("numpy", *arguments)
    assert done.returncode == 2
    assert 'pip install "dualmetrics[experiments]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_prints_how_long_the_experiment_must_run() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["plan", "--rate", "50", "--error-ratio", "0.5%"])
    assert result.exit_code == 0
    assert re.search(r"error ratio .* 0.1 points .* 41 min", result.output)


def test_plan_refuses_a_rate_of_0() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["plan", "--rate", "0", "--error-ratio", "0.5%"])
    assert result.exit_code == 2


def test_receive_prints_what_arrives_until_ctrl_c(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        arguments = [*DUALMETRICS, "receive", "--grpc-port", "0", "--http-port", "0"]
        environment = {**os.environ, "COLUMNS": "200"}
        process = subprocess.Popen(arguments, stdout=output, stderr=output, env=environment)
    try:
        wait_until(lambda: "Ctrl-C" in log.read_text(), 30, "the receiver", details=log.read_text)
        endpoint = re.search(r"HTTP on (\S+);", log.read_text())
        assert endpoint is not None
        telemetry = Telemetry(endpoint=endpoint[1], service_name="shop")
        telemetry.meter("app").create_counter("orders").add(42, {"payment": "card"})
        assert telemetry.shutdown()
        wait_until(lambda: "orders{payment=card}" in log.read_text(), 10, "the table", details=log.read_text)
        assert re.search(r"shop .* orders\{payment=card\} .* counter .* 42", log.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_receive_reports_a_port_that_is_taken() -> None:
    with Receiver() as receiver:
        port = receiver.http_endpoint.rpartition(":")[2]
        result = CliRunner().invoke(dualmetrics_command, ["receive", "--grpc-port", "0", "--http-port", port])
    assert result.exit_code == 1
    assert "cannot listen" in result.output
