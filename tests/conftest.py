"""What holds for every test: a clean environment before it, nothing left running after it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

import dualmetrics
from tests import backends
from tests.ports import free_port
from tests.waiting import wait_until

PREFIXES = ("OTEL_", "DUALMETRICS_", "PROMETHEUS_", "GUNICORN_")
HELPERS = (b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""Processes of the standard library that live as long as the one that started them."""

POOL = "dualmetrics-page"
"""Threads that render pages: made when first needed, they wait for the next page until the process ends."""

EXAMPLES = 100 if sys.version_info[:2] == (3, 11) else 30
"""Of a property: one Python tries as many as hypothesis does by default."""

# A change fails by what it changes, not by luck: chance has `tox -e properties`. Seconds have `benchmarks`.
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=EXAMPLES)
settings.register_profile("long", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("TEST_PROPERTIES", "quick"))


def pytest_report_header() -> str:
    """Say which dualmetrics is tested: the built wheel under tox, else the source tree."""
    return f"dualmetrics: {Path(dualmetrics.__file__).parent}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which backends could not be had."""
    for line in backends.warnings():
        terminalreporter.write_line(line, yellow=True, bold=True)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the shell, or of an earlier test, reaches a test or the servers that it starts."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _nothing_left_running() -> Iterator[None]:
    """A test ends its child processes, and all threads that would keep the interpreter alive."""
    processes, threads = _children(), _threads()
    yield
    wait_until(lambda: _children() <= processes, 5, "child processes to end", details=_children)
    wait_until(lambda: _threads() <= threads, 5, "threads to end", details=_threads)


@pytest.fixture
def port() -> int:
    """A loopback port that nobody listens on."""
    return free_port()


def _children() -> set[int]:
    """The process' children, zombies that nobody waited for included."""
    tasks = Path("/proc/self/task")
    lists = [tasks / task / "children" for task in os.listdir(tasks)]
    return {int(pid) for found in lists for pid in _read(found).split() if not _is_helper(int(pid))}


def _is_helper(pid: int) -> bool:
    command = _read(Path(f"/proc/{pid}/cmdline"))
    return any(name in command for name in HELPERS)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process or thread has ended meanwhile
        return b""


def _threads() -> set[threading.Thread]:
    every = threading.enumerate()
    return {thread for thread in every if not thread.daemon and not thread.name.startswith(POOL)}
