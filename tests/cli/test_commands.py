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
from dualmetrics.cli.main import dualmetrics_command
from dualmetrics.cli.otlp_receiver import Receiver
from tests.waiting import wait_until

DUALMETRICS = [sys.executable, "-c", "from dualmetrics.cli import main; main()"]


def test_the_help_lists_each_command_with_what_it_does() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["--help"])
    assert result.exit_code == 0
    assert re.search(r"demo +Run the examples", result.output)
    assert re.search(r"receive +Receive metrics", result.output)


def test_an_unknown_command_is_an_error_of_usage() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["no-such-command"])
    assert result.exit_code == 2
    assert "no-such-command" in result.output


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_the_command_says_what_to_install(missing: str) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from dualmetrics.cli import main; main()"
    arguments = [sys.executable, "-c", code, "receive", "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert 'pip install "dualmetrics[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "asked",
    [["plan", "--rate", "1", "--error-ratio", "1%"], ["compare", "shop"], ["experiment", "status", "."]],
)
def test_without_the_extra_of_experiments_their_commands_say_what_to_install(asked: list[str]) -> None:
    code = "import sys; sys.modules['numpy'] = None; from dualmetrics.cli import main; main()"
    arguments = [sys.executable, "-c", code]
    helped = subprocess.run([*arguments, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert helped.returncode == 0, helped.stderr
    done = subprocess.run([*arguments, *asked], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert 'pip install "dualmetrics[experiments]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_says_how_long() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["plan", "--rate", "50", "--error-ratio", "0.5%"])
    assert result.exit_code == 0
    assert re.search(r"error ratio .* 0.1 points .* 41 min", result.output)
    assert (
        CliRunner().invoke(dualmetrics_command, ["plan", "--rate", "0", "--error-ratio", "0.5%"]).exit_code
        == 2
    )


def test_receive_prints_what_arrives_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        arguments = [*DUALMETRICS, "receive", "--grpc-port", "0", "--http-port", "0"]
        environment = {**os.environ, "COLUMNS": "200"}
        process = subprocess.Popen(arguments, stdout=output, stderr=output, env=environment)
    try:
        wait_until(lambda: "Ctrl-C" in log.read_text(), 30, "the receiver", details=log.read_text)
        found = re.search(r"HTTP on (\S+);", log.read_text())
        assert found is not None
        telemetry = Telemetry(endpoint=found[1], service_name="shop")
        telemetry.meter("app").create_counter("orders").add(42, {"payment": "card"})
        assert telemetry.shutdown()
        wait_until(lambda: "orders{payment=card}" in log.read_text(), 10, "the table", details=log.read_text)
        assert re.search(r"shop .* orders\{payment=card\} .* counter .* 42", log.read_text())
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_receive_on_a_port_that_is_taken_says_so() -> None:
    with Receiver() as receiver:
        port = receiver.http_endpoint.rpartition(":")[2]
        result = CliRunner().invoke(dualmetrics_command, ["receive", "--grpc-port", "0", "--http-port", port])
    assert result.exit_code == 1
    assert "cannot listen" in result.output
