"""Fixtures of all tests: a clean environment before each, and nothing left running after it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

if os.environ.get("TEST_WITHOUT_GIL"):
    from tests import without_gil  # noqa: F401  # before dualmetrics

import dualmetrics
from tests import peers
from tests.ports import free_port
from tests.waiting import wait_until

PREFIXES = ("OTEL_", "DUALMETRICS_", "PROMETHEUS_", "GUNICORN_")
HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Processes of the standard library that live as long as the process that started them."""

RENDERING_THREADS = "dualmetrics-page"
"""The name of the threads that render pages. They start with the first page and end with the process."""

EXAMPLES = 100 if sys.version_info[:2] == (3, 11) else 30
"""Examples of a property test: on one Python as many as hypothesis tries by default, on the others fewer."""

# Deterministic, so that only a change of the code changes the result; `tox -e properties` tries random
# examples. There is no deadline, since `benchmarks` measures time.
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=EXAMPLES)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("TEST_PROPERTIES", "quick"))


def pytest_report_header() -> str:
    """Report which dualmetrics is tested: the built wheel under tox, else the source tree."""
    return f"dualmetrics: {Path(dualmetrics.__file__).parent}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report the programs that were missing, also those that processes of xdist have missed."""
    for line in peers.not_tested(terminalreporter.stats.get("skipped", ())):
        terminalreporter.write_line(line, yellow=True, bold=True)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the settings of the shell and of earlier tests from a test and the servers that it starts."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """Fail a test that leaves child processes, or threads that would keep the interpreter alive."""
    processes, threads = _children(), _threads()
    yield
    wait_until(lambda: _children() <= processes, 5, "child processes to end", details=_children)
    wait_until(lambda: _threads() <= threads, 5, "threads to end", details=_threads)


@pytest.fixture
def port() -> int:
    """A loopback port that nobody listens on."""
    return free_port()


def _children() -> set[int]:
    """The pids of this process' children, including zombies that nobody has waited for."""
    tasks = Path("/proc/self/task")
    lists = [tasks / task / "children" for task in os.listdir(tasks)]
    return {int(pid) for file in lists for pid in _read(file).split() if not _is_helper(int(pid))}


def _is_helper(pid: int) -> bool:
    command = _read(Path(f"/proc/{pid}/cmdline"))
    return any(name in command for name in HELPERS)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process or thread has ended in the meantime
        return b""


def _threads() -> set[threading.Thread]:
    return {
        thread
        for thread in threading.enumerate()
        if not thread.daemon and not thread.name.startswith(RENDERING_THREADS)
    }
