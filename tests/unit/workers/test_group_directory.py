"""The directory of a group: how it is found, and when it is removed."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from dualmetrics.runtime import file_locks, operating_system
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.discovery import GroupRoot, find_root
from dualmetrics.workers.group_directory import open_group_directory
from dualmetrics.workers.membership import GroupAddress, open_membership
from dualmetrics.workers.worker_file import WorkerFile
from tests.unit.kernels import unknown_system


def open_group(base: Path, root: GroupRoot | None) -> Directory:
    return open_group_directory(str(base), root, "default")


def user_directory(base: Path) -> Path:
    return base / f"dualmetrics-{os.geteuid()}"


def ended_root() -> GroupRoot:
    """The root of a group whose server has ended."""
    return GroupRoot(2**22 + 1, 1, operating_system.current.pid_namespace())


def make_group(base: Path, name: str) -> Path:
    """A group with the file of a dead worker."""
    label = user_directory(base) / name / "default"
    label.mkdir(parents=True)
    (label / "worker-0").touch()
    return label


def test_a_group_whose_root_has_ended_is_removed(tmp_path: Path) -> None:
    make_group(tmp_path, ended_root().name)
    root = find_root()
    assert root is not None
    open_group(tmp_path, root).close()
    assert [path.name for path in user_directory(tmp_path).iterdir()] == [root.name]


@pytest.mark.parametrize(("hours", "is_kept"), [(1, True), (25, False)])
def test_a_group_of_another_container_is_removed_after_a_day_without_changes(
    tmp_path: Path, hours: int, is_kept: bool
) -> None:
    label = make_group(tmp_path, "1-100-42")
    for path in (label, label.parent):
        os.utime(path, (0, time.time() - 3600 * hours))
    open_group(tmp_path, find_root()).close()
    assert label.exists() == is_kept


def test_an_upgraded_server_keeps_its_alias_after_the_old_master_has_ended(tmp_path: Path) -> None:
    user, root = user_directory(tmp_path), find_root()
    assert root is not None
    (user / ended_root().name).mkdir(parents=True)
    (user / root.name).symlink_to(ended_root().name)
    for path in (tmp_path, user):
        path.chmod(0o700)
    directory = open_group(tmp_path, root)
    assert Path(directory.path).parent.name == ended_root().name
    assert (user / root.name).is_symlink()
    directory.close()


def test_a_group_with_a_live_worker_is_kept_after_its_root_has_ended(tmp_path: Path) -> None:
    directory = open_group(tmp_path, ended_root())
    file = WorkerFile(directory, b"g" * 16)
    open_group(tmp_path, find_root()).close()
    assert Path(directory.path).exists()
    file.release()
    open_group(tmp_path, find_root()).close()
    assert not Path(directory.path).exists()
    directory.close()


def test_aliases_that_form_a_circle_are_refused(tmp_path: Path) -> None:
    user = user_directory(tmp_path)
    user.mkdir(mode=0o700)
    (user / "1-2-3").symlink_to("1-2-4")
    (user / "1-2-4").symlink_to("1-2-3")
    with pytest.raises(OSError, match="do not lead to a group"):
        open_group(tmp_path, GroupRoot(1, 2, "3"))


def no_temporary_directory() -> str:
    raise FileNotFoundError("No usable temporary directory found")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="needs shared memory")
def test_a_group_needs_no_temporary_directory_where_shared_memory_is_writable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", no_temporary_directory)
    directory = open_group_directory(None, find_root(), "no-temporary-directory")
    directory.close()
    shutil.rmtree(directory.path)
    assert Path(directory.path).is_relative_to("/dev/shm")


def test_where_nothing_is_writable_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operating_system.current, "base_directories", list)
    with pytest.raises(OSError, match="no directory for temporary files is writable"):
        open_group_directory(None, find_root(), "default")


@pytest.mark.parametrize("configured_path", [None, "/tmp"])
def test_windows_says_that_each_process_counts_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, configured_path: str | None
) -> None:
    monkeypatch.setattr(file_locks, "available", False)
    unknown_system(monkeypatch)
    errors = ErrorReporter()
    for _ in range(2):
        assert open_membership(GroupAddress(configured_path, "default"), 2000, errors) is None
    (record,) = caplog.records
    assert "each process reports only its own metrics: worker groups need file locks" in record.getMessage()


def test_a_system_whose_processes_cannot_be_read_needs_a_configured_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown_system(monkeypatch)
    with pytest.raises(OSError, match="cannot be read; set DUALMETRICS_DIR"):
        open_group_directory(None, find_root(), "default")
    open_group_directory(str(tmp_path), None, "default").close()


def test_a_group_that_a_process_has_open_stays_after_its_root_has_ended(tmp_path: Path) -> None:
    make_group(tmp_path, ended_root().name)
    label = user_directory(tmp_path) / ended_root().name / "default"
    for path in (user_directory(tmp_path), label.parent, label):
        path.chmod(0o700)
    member = Directory(str(label))
    member.lock_shared()
    open_group(tmp_path, find_root()).close()
    assert label.exists()
    member.close()
    open_group(tmp_path, find_root()).close()
    assert not label.exists()


def test_a_process_does_not_remove_its_own_group_although_the_root_has_ended(tmp_path: Path) -> None:
    open_group(tmp_path, ended_root()).close()
    again = open_group(tmp_path, ended_root())
    assert (Path(again.path)).exists()
    again.close()
