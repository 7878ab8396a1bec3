"""The directory of a group: which directories are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualmetrics.workers.directory import Directory
from dualmetrics.workers.file_names import slot_number, worker_file_name


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "group").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="group"):
        Directory(str(tmp_path / "group"))


def test_a_directory_that_other_users_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(PermissionError, match="other users may write"):
        Directory(str(tmp_path / "open"))


def test_worker_files_are_listed_by_slot_number(tmp_path: Path) -> None:
    for name in ("worker-10", "worker-9", "worker-x", "worker-", "archive"):
        (tmp_path / name).touch()
    tmp_path.chmod(0o700)
    directory = Directory(str(tmp_path))
    assert directory.worker_files() == ["worker-9", "worker-10"]
    directory.close()


def test_a_slot_number_survives_the_name_of_its_file() -> None:
    assert slot_number(worker_file_name(12)) == 12
