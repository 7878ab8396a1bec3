"""The directory of a group: how it is found, and when it is removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dualmetrics.runtime import processes
from dualmetrics.workers.directory import Directory
from dualmetrics.workers.discovery import GroupRoot, find_root
from dualmetrics.workers.group_directory import open_group_directory
from dualmetrics.workers.worker_file import WorkerFile


def open_group(base: Path, root: GroupRoot | None) -> Directory:
    return open_group_directory(str(base), root, "default")


def user_directory(base: Path) -> Path:
    return base / f"dualmetrics-{os.geteuid()}"


def ended_root() -> GroupRoot:
    """The root of a group whose server has ended."""
    return GroupRoot(2**22 + 1, 1, processes.pid_namespace())


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
