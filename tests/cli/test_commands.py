"""The command line, as a user calls it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata

import pytest
from click.testing import CliRunner

from dualmetrics.cli import COMMANDS
from dualmetrics.cli.commands import dualmetrics_command
from dualmetrics.cli.requirements import EXTRA_MODULES
from tests.programs import run_python


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
@pytest.mark.parametrize(
    ("arguments", "extra"), [(["receive", "--help"], "cli"), ([], "cli"), (["--traceback", "demo"], "demo")]
)
def test_without_the_cli_extra_the_command_prints_what_to_install(
    module: str, arguments: list[str], extra: str
) -> None:
    done = run_without(module, *arguments)
    assert done.returncode == 2
    assert done.stderr == f'This command needs an extra: pip install "dualmetrics[{extra}]"\n'


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
    assert re.search(r"error ratio .* 0.1 points .* 41m", result.output)


def test_plan_refuses_a_rate_of_0() -> None:
    result = CliRunner().invoke(dualmetrics_command, ["plan", "--rate", "0", "--error-ratio", "0.5%"])
    assert result.exit_code == 2


def test_an_incomplete_command_names_the_missing_extra_first() -> None:
    done = run_without("scipy", "plan")
    assert (done.returncode, "Missing option" in done.stderr) == (2, False)
    assert 'pip install "dualmetrics[experiments]" (not installed: scipy)' in done.stderr


HELP_PAGES = """
import sys
sys.modules.update(dict.fromkeys({modules!r}))
from click.testing import CliRunner
from dualmetrics.cli.commands import dualmetrics_command
for line in {lines!r}:
    result = CliRunner().invoke(dualmetrics_command, [*line.split(), "--help"])
    assert (result.exit_code, result.exception) == (0, None), (line, result.output)
    assert result.output.startswith("Usage: ")
"""


def test_every_help_page_works_without_the_modules_of_any_other_extra() -> None:
    modules = [module for extra in EXTRA_MODULES.values() for module in extra]
    lines = ["", *COMMANDS, "experiment init", "experiment status", "experiment clean"]
    run_python(HELP_PAGES.format(modules=modules, lines=lines))


@pytest.mark.parametrize("extra", ["demo", "experiments"])
def test_the_modules_of_an_extra_are_those_that_it_installs(extra: str) -> None:
    installed = distributions_of(extra) - distributions_of("cli")
    assert {re.sub("[._]", "-", module) for module in EXTRA_MODULES[extra]} == installed


def distributions_of(extra: str) -> set[str]:
    """The names of what an extra installs."""
    names: set[str] = set()
    for requirement in metadata.requires("dualmetrics") or ():
        if re.search(rf"extra == ['\"]{extra}['\"]", requirement):
            own = re.match(r"dualmetrics\[([\w,]+)\]", requirement)
            if own:
                names.update(*(distributions_of(other) for other in own[1].split(",")))
            else:
                names.add(re.split(r"[^\w-]", requirement)[0])
    return names


@pytest.mark.parametrize("arguments", [[], ["experiment"]])
def test_the_list_of_commands_has_whole_sentences(arguments: list[str]) -> None:
    result = CliRunner().invoke(dualmetrics_command, [*arguments, "--help"])
    assert "..." not in result.output.partition("Commands:")[2]
    assert max(map(len, result.output.splitlines())) <= 80
