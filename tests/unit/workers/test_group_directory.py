"""Which processes are one group. Real servers are in tests/servers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dualmetrics.runtime import processes
from dualmetrics.workers import discovery, group_directory
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.discovery import GroupRoot, parse_root


def run(way: str) -> tuple[int, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.processes", way],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    pid, found = done.stdout.split()
    return int(pid), int(found)


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver", "pool", "os.fork"])
def test_children_belong_to_the_process_that_started_them(way: str) -> None:
    pid, found = run(way)
    assert found == pid


def test_a_program_started_by_a_worker_is_a_group_of_its_own() -> None:
    assert run("program")[1] == 1


def test_two_programs_of_one_shell_are_two_groups() -> None:
    program = f"{sys.executable} -m tests.unit.processes os.fork"
    line = f"{program} & {program}; wait"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True, timeout=60)
    roots = [line.split() for line in done.stdout.splitlines()]
    assert len(roots) == 2
    assert all(pid == found for pid, found in roots)
    assert roots[0] != roots[1]


def test_a_roots_name_is_read_back() -> None:
    root = GroupRoot(1, 2, "3")
    assert parse_root(root.name) == root


@pytest.mark.parametrize("name", ["", "1", "1-2", "a-2-3", "1-2-3-4", "..", "-1-2-3"])
def test_other_names_are_no_roots(name: str) -> None:
    assert parse_root(name) is None


def test_a_pid_that_was_used_again_is_not_the_root() -> None:
    me = processes.find_process(os.getpid())
    assert me is not None
    assert GroupRoot(me.pid, me.start_ticks, processes.pid_namespace()).is_alive
    assert not GroupRoot(me.pid, me.start_ticks - 1, processes.pid_namespace()).is_alive


def test_a_root_of_another_pid_namespace_is_left_alone() -> None:
    assert GroupRoot(os.getpid(), 0, "1").is_alive


def gone() -> GroupRoot:
    return GroupRoot(2**22 + 1, 1, processes.pid_namespace())


def test_groups_whose_root_is_gone_are_swept(tmp_path: Path) -> None:
    user = tmp_path / f"dualmetrics-{os.geteuid()}"
    stale = user / gone().name / "default"
    stale.mkdir(parents=True)
    (stale / "worker-0").touch()
    mine = discovery.find_root()
    group_directory._open(str(tmp_path), mine, "default").close()
    assert [path.name for path in user.iterdir()] == [mine.name if mine else ""]


@pytest.mark.parametrize(("hours", "kept"), [(1, True), (25, False)])
def test_a_group_of_another_container_is_swept_when_it_was_left_alone_for_a_day(
    tmp_path: Path, hours: int, kept: bool
) -> None:
    group = tmp_path / f"dualmetrics-{os.geteuid()}" / "1-100-42"
    label = group / "default"
    label.mkdir(parents=True)
    (label / "worker-0").touch()
    for path in (label, group):
        os.utime(path, (0, time.time() - 3600 * hours))
    group_directory._open(str(tmp_path), discovery.find_root(), "default").close()
    assert group.exists() == kept


def test_an_upgraded_server_keeps_its_alias_when_the_old_master_is_gone(tmp_path: Path) -> None:
    user = tmp_path / f"dualmetrics-{os.geteuid()}"
    mine = discovery.find_root()
    assert mine is not None
    (user / gone().name).mkdir(parents=True)
    (user / mine.name).symlink_to(gone().name)
    for path in (tmp_path, user):
        path.chmod(0o700)
    opened = group_directory._open(str(tmp_path), mine, "default")
    assert Path(opened.path).parent.name == gone().name
    assert (user / mine.name).is_symlink()
    opened.close()


def test_an_orphan_keeps_its_group(tmp_path: Path) -> None:
    orphan = group_directory._open(str(tmp_path), gone(), "default")
    from dualmetrics.workers.worker_file import WorkerFile

    file = WorkerFile(orphan, b"g" * 16)
    group_directory._open(str(tmp_path), discovery.find_root(), "default").close()
    assert Path(orphan.path).exists()
    file.release()
    group_directory._open(str(tmp_path), discovery.find_root(), "default").close()
    assert not Path(orphan.path).exists()
    orphan.close()


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "group").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="group"):
        Directory(str(tmp_path / "group"))


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="other users may write"):
        Directory(str(tmp_path / "open"))


def test_aliases_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path))
    (tmp_path / "1-2-3").symlink_to("1-2-4")
    (tmp_path / "1-2-4").symlink_to("1-2-3")
    with pytest.raises(OSError, match="do not lead to a group"):
        group_directory._resolve(directory, "1-2-3")
    directory.close()
