"""The example of docs/writing-an-integration.md: its files, as a reader writes them, pass the contract."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path("docs/writing-an-integration.md").read_text(encoding="utf-8")
FILES = {
    path: block
    for block in re.findall(r"^```(?:python|toml)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for path in re.findall(r"\A# (\S+)\n", block)
}
INTEGRATION = "dualmetrics_quart/__init__.py"
CONTRACT = "tests/test_contract.py"
CASES = 150


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The folder of the example. Metadata like that of an installed package announces its entry point."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    metadata = tmp_path / "dualmetrics_quart-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: dualmetrics-quart\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points(FILES["pyproject.toml"]))
    return tmp_path


def entry_points(pyproject: str) -> str:
    """The table of entry points, in the format of a package's metadata."""
    table = pyproject.partition("[project.entry-points.dualmetrics_routes]\n")[2].partition("\n\n")[0]
    return "[dualmetrics_routes]\n" + table.replace('"', "")


def run_tests(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=240, check=False)


def test_page_has_all_files() -> None:
    assert FILES.keys() == {INTEGRATION, CONTRACT, "tests/test_entry_point.py", "pyproject.toml"}


def test_example_passes(project: Path) -> None:
    done = run_tests(project)
    assert done.returncode == 0, done.stdout
    assert f"{CASES + 1} passed" in done.stdout


@pytest.mark.parametrize(
    ("line", "case"),
    [
        ("set_route(request.scope, request.url_rule.rule)", "test_route_is_the_template[classic]"),
        ("set_error(request.scope, exception)", "test_exception_before_the_response_is_a_500[semconv]"),
        ("self._mount_page(app)", "test_page_is_served_and_not_recorded[both]"),
    ],
)
def test_contract_fails_without(project: Path, line: str, case: str) -> None:
    """Each duty of an integration has a case, and a failure shows the compared values."""
    integration = project / INTEGRATION
    text = integration.read_text(encoding="utf-8")
    assert text.count(line) == 1
    integration.write_text(text.replace(line, "pass"), encoding="utf-8")
    done = run_tests(project, f"{CONTRACT}::TestQuart::{case}")
    assert done.returncode == 1, done.stdout
    assert "E       assert" in done.stdout or "E       Assertion" in done.stdout, "asserts are not rewritten"
