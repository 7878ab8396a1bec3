"""The worker file: its slot, its lock, and how others see that its owner lives."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.workers.directory import Directory
from dualmetrics.workers.liveness import has_live_owner
from dualmetrics.workers.worker_file import WorkerFile

GROUP_ID = b"g" * 16


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Directory]:
    opened = Directory(str(tmp_path / "group"))
    yield opened
    opened.close()


def test_a_file_takes_the_smallest_free_slot(directory: Directory) -> None:
    files = [WorkerFile(directory, GROUP_ID) for _ in range(3)]
    assert [file.slot for file in files] == [0, 1, 2]
    files[1].release()
    directory.unlink("worker-1")
    assert WorkerFile(directory, GROUP_ID).slot == 1


def test_no_temporary_file_is_left(directory: Directory) -> None:
    file = WorkerFile(directory, GROUP_ID)
    assert directory.names() == ["worker-0"]
    file.release()


def test_the_owner_is_alive_until_the_file_is_released(directory: Directory) -> None:
    file = WorkerFile(directory, GROUP_ID)
    assert has_live_owner("worker-0", directory.fd)
    file.release()
    assert not has_live_owner("worker-0", directory.fd)


@pytest.mark.parametrize("is_link", [False, True], ids=["missing", "link"])
def test_a_file_that_cannot_be_opened_counts_as_alive(directory: Directory, is_link: bool) -> None:
    if is_link:
        (Path(directory.path) / "worker-0").symlink_to(directory.path)
    assert has_live_owner("worker-0", directory.fd)


def test_running_out_of_descriptors_says_nothing_about_the_owner(
    directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> int:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="too many open files"):
        has_live_owner("worker-0", directory.fd)
