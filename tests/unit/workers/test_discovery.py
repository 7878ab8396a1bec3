"""Finding the root of a group. tests/servers has the same with real servers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dualmetrics.runtime import operating_system
from dualmetrics.workers.discovery import GroupRoot, parse_root


def run(way: str) -> tuple[int, int]:
    """Run the program `tests.unit.processes`: its pid, and what it reports."""
    completed = subprocess.run(
        [sys.executable, "-m", "tests.unit.processes", way],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    pid, reported = completed.stdout.split()
    return int(pid), int(reported)


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "pool", "os.fork"])
def test_children_belong_to_the_process_that_started_them(way: str) -> None:
    pid, root = run(way)
    assert root == pid


def test_a_program_started_by_a_worker_is_a_group_of_its_own() -> None:
    assert run("program")[1] == 1


def test_two_programs_started_by_one_shell_are_two_groups() -> None:
    program = f"{sys.executable} -m tests.unit.processes os.fork"
    script = f"{program} & {program}; wait"
    completed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=60)
    reports = [line.split() for line in completed.stdout.splitlines()]
    assert len(reports) == 2
    assert all(pid == root for pid, root in reports)
    assert reports[0] != reports[1]


def test_a_root_survives_its_name() -> None:
    root = GroupRoot(1, 2, "3")
    assert parse_root(root.name) == root


@pytest.mark.parametrize("name", ["", "1", "1-2", "a-2-3", "1-2-3-4", "..", "-1-2-3"])
def test_other_names_are_not_roots(name: str) -> None:
    assert parse_root(name) is None


def test_a_reused_pid_is_not_the_root() -> None:
    process = operating_system.current.find_process(os.getpid())
    assert process is not None
    namespace = operating_system.current.pid_namespace()
    assert GroupRoot(process.pid, process.start_time, namespace).is_alive
    assert not GroupRoot(process.pid, process.start_time - 1, namespace).is_alive


def test_a_root_in_another_pid_namespace_counts_as_alive() -> None:
    assert GroupRoot(os.getpid(), 0, "1").is_alive
