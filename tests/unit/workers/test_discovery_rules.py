"""Which processes are one group, by the processes that Linux and macOS show. None of them exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualmetrics.workers.discovery import parse_root, upgraded_from
from tests.unit.kernels import PYTHON, Kernel, LinuxKernel, MacKernel, root_pid, root_seen_by, unknown_system


@pytest.fixture(params=["Linux", "macOS"])
def kernel(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = LinuxKernel(tmp_path / "proc") if request.param == "Linux" else MacKernel()
    kernel.install(monkeypatch)
    return kernel


def test_a_process_that_a_shell_started_is_the_root_of_its_group(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    assert root_pid(server) == server


def test_forked_workers_and_their_forks_belong_to_the_server(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.fork(server)
    assert [root_pid(worker), root_pid(kernel.fork(worker))] == [server, server]


def test_two_servers_from_one_shell_are_two_groups(kernel: Kernel) -> None:
    first, second = kernel.start(kernel.shell), kernel.start(kernel.shell)
    assert [root_pid(kernel.fork(first)), root_pid(kernel.fork(second))] == [first, second]


def test_two_servers_from_one_python_program_are_two_groups(kernel: Kernel) -> None:
    launcher = kernel.start(kernel.shell)
    first, second = kernel.start(launcher), kernel.start(launcher)
    assert [root_pid(kernel.fork(first)), root_pid(kernel.fork(second))] == [first, second]


def test_a_program_that_a_worker_starts_is_a_group_of_its_own(kernel: Kernel) -> None:
    program = kernel.start(kernel.fork(kernel.start(kernel.shell)))
    assert root_pid(program) == program


def test_a_fork_in_a_session_of_its_own_is_a_group_of_its_own(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    daemon = kernel.setsid(kernel.fork(server))
    assert root_pid(daemon) == daemon
    assert root_pid(kernel.fork(daemon)) == daemon


def test_a_spawned_worker_belongs_to_the_parent_that_multiprocessing_reports(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    assert root_pid(kernel.start(server), multiprocessing_parent=server) == server


SPAWN = (
    "-c",
    "from multiprocessing.spawn import spawn_main; spawn_main(pipe_handle=7)",
    "--multiprocessing-fork",
)
FORK_SERVERS = (
    ("-c", "from multiprocessing.forkserver import main; main(5, 6, ['__main__'], **{})"),
    (
        "-B",
        "-c",
        "import sys; from multiprocessing.forkserver import main; main(5, 6, [])",
        "its",
        "arguments",
    ),
)


def test_a_spawned_child_is_recognised_before_multiprocessing_tells_it_of_its_parent(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.start(server, PYTHON, *SPAWN)
    assert root_pid(worker) == server
    assert root_pid(kernel.start(kernel.fork(worker), PYTHON, *SPAWN)) == server


@pytest.mark.parametrize("arguments", FORK_SERVERS)
def test_a_fork_server_and_its_children_belong_to_the_process_that_started_it(
    kernel: Kernel, arguments: tuple[str, ...]
) -> None:
    server = kernel.start(kernel.shell)
    fork_server = kernel.start(server, PYTHON, *arguments)
    assert [root_pid(fork_server), root_pid(kernel.fork(fork_server))] == [server, server]


@pytest.mark.parametrize(
    "arguments",
    [
        ("-m", "app"),
        ("-c", "print()"),
        ("app.py", "from multiprocessing.forkserver import main; main("),
        ("-m", "multiprocessing.forkserver"),
    ],
)
def test_another_program_that_python_runs_is_a_group_of_its_own(
    kernel: Kernel, arguments: tuple[str, ...]
) -> None:
    program = kernel.start(kernel.start(kernel.shell), PYTHON, *arguments)
    assert root_pid(program) == program


def test_a_spawned_child_whose_arguments_cannot_be_read_is_on_its_own(kernel: Kernel) -> None:
    worker = kernel.start(kernel.start(kernel.shell), PYTHON, *SPAWN)
    kernel.table[worker] = kernel.table[worker]._replace(arguments=())
    kernel._set(worker, kernel.table[worker])
    assert root_pid(worker) == worker


def test_a_reported_parent_that_is_younger_has_a_reused_pid(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.start(server)
    kernel.end(server)
    kernel.exec(kernel.fork(kernel.shell, pid=server))
    assert root_pid(worker, multiprocessing_parent=server) == worker


def test_a_parent_that_is_younger_has_a_reused_pid(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.fork(server)
    kernel.table[server] = kernel.table[server]._replace(start=next(kernel.clock))
    kernel.exec(server)
    assert root_pid(worker) == worker


def test_a_worker_without_its_server_is_on_its_own(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.fork(server)
    kernel.end(server)
    assert root_pid(worker) == worker


def test_a_forked_process_with_another_executable_is_not_a_worker(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.fork(server)
    kernel.exec(server, "/usr/bin/python4")
    assert root_pid(worker) == worker


def test_gunicorns_new_master_takes_over_the_group_of_the_old_one(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = kernel.start(kernel.shell)
    new = kernel.start(old)
    worker = kernel.fork(new)
    root = root_seen_by(worker)
    assert root is not None
    monkeypatch.setenv("GUNICORN_PID", str(old))
    assert upgraded_from(root) == root_seen_by(old)
    kernel.end(old)
    assert upgraded_from(root) is None


def test_a_program_of_an_upgraded_worker_does_not_join_the_old_master(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = kernel.start(kernel.shell)
    program = kernel.start(kernel.fork(kernel.start(old)))
    monkeypatch.setenv("GUNICORN_PID", str(old))
    root = root_seen_by(program)
    assert root is not None
    assert upgraded_from(root) is None


def test_a_root_is_alive_until_its_process_ends_and_not_if_the_pid_is_reused(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    root = root_seen_by(server)
    assert root is not None
    was_alive = [root.is_alive]
    kernel.end(server)
    was_alive.append(root.is_alive)
    kernel.fork(kernel.shell, pid=server)
    was_alive.append(root.is_alive)
    assert was_alive == [True, False, False]


def test_the_name_of_a_group_can_be_read_back(kernel: Kernel) -> None:
    root = root_seen_by(kernel.start(kernel.shell))
    assert root is not None
    assert parse_root(root.name) == root


def test_a_process_that_has_ended_has_no_root(kernel: Kernel) -> None:
    server = kernel.start(kernel.shell)
    kernel.end(server)
    assert root_seen_by(server) is None


def test_no_root_is_found_on_a_system_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown_system(monkeypatch)
    assert root_seen_by(1) is None


@pytest.fixture
def hiding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """A kernel that can hide processes, which macOS does not."""
    kernel = LinuxKernel(tmp_path / "proc")
    kernel.install(monkeypatch)
    return kernel


def test_workers_whose_server_is_hidden_are_one_group(hiding: Kernel) -> None:
    server, other_server = hiding.start(hiding.shell), hiding.start(hiding.shell)
    workers = [hiding.fork(server) for _ in range(2)]
    other = hiding.fork(other_server)
    hiding.hide(server)
    hiding.hide(other_server)
    roots = [root_seen_by(pid) for pid in workers]
    assert roots[0] == roots[1]
    assert roots[0] is not None
    assert (roots[0].pid, roots[0].start_time, roots[0].is_alive) == (server, 0, True)
    assert root_pid(other) == other_server
    assert root_pid(hiding.fork(workers[0])) == server


def test_a_hidden_server_that_has_ended_is_no_live_root(hiding: Kernel) -> None:
    server = hiding.start(hiding.shell)
    worker = hiding.fork(server)
    hiding.hide(server)
    root = root_seen_by(worker)
    assert root is not None
    del hiding.table[server]
    assert not root.is_alive


def test_a_program_that_a_hidden_process_started_is_a_group_of_its_own(hiding: Kernel) -> None:
    launcher = hiding.start(hiding.shell)
    program, daemon = hiding.start(launcher), hiding.setsid(hiding.fork(launcher))
    hiding.hide(launcher)
    assert [root_pid(program), root_pid(daemon)] == [program, daemon]
