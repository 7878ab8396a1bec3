"""What differs between operating systems. macOS is a C library and an `fcntl` of the tests' own."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.runtime.operating_system import detect
from dualmetrics.runtime.operating_system.base import OperatingSystem, Process
from dualmetrics.runtime.operating_system.linux import Linux
from dualmetrics.runtime.operating_system.macos import F_PREALLOCATE, MacOS
from tests.unit.kernels import PYTHON, KinfoProc, MacKernel


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> MacKernel:
    kernel = MacKernel()
    kernel.install(monkeypatch)
    return kernel


def no_temporary_directory() -> str:
    raise FileNotFoundError("No usable temporary directory found")


@pytest.mark.parametrize(
    ("platform", "kind"), [("linux", Linux), ("darwin", MacOS), ("win32", OperatingSystem)]
)
def test_the_system_is_chosen_by_its_name(platform: str, kind: type[OperatingSystem]) -> None:
    assert type(detect(platform)) is kind


def test_linux_offers_shared_memory_before_temporary_files() -> None:
    assert Linux().base_directories() == ["/dev/shm", tempfile.gettempdir()]


def test_linux_offers_shared_memory_where_no_temporary_directory_is_writable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", no_temporary_directory)
    assert Linux().base_directories() == ["/dev/shm"]


def test_macos_offers_temporary_files_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MacOS().base_directories() == [tempfile.gettempdir()]
    monkeypatch.setattr(tempfile, "gettempdir", no_temporary_directory)
    assert MacOS().base_directories() == []


def test_without_pid_namespaces_there_is_one_with_a_number(tmp_path: Path) -> None:
    assert Linux(str(tmp_path)).pid_namespace() == "0"
    assert MacOS().pid_namespace() == "0"


def test_a_program_that_may_not_be_looked_at_counts_as_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: str) -> str:
        raise PermissionError(errno.EACCES, path)

    monkeypatch.setattr(os, "readlink", forbidden)
    assert Linux().same_program(1, 2)


def test_a_program_that_is_not_there_counts_as_another(kernel: MacKernel) -> None:
    server = kernel.start(kernel.shell)
    assert MacOS(kernel).same_program(server, server)
    assert not MacOS(kernel).same_program(server, 99)
    assert not OperatingSystem().same_program(1, 1)


def test_structures_are_as_long_as_on_a_64_bit_mac() -> None:
    assert ctypes.sizeof(KinfoProc) == 648
    assert KinfoProc.ppid.offset == 560


def test_macos_reads_a_process(kernel: MacKernel) -> None:
    server = kernel.start(kernel.shell)
    worker = kernel.fork(server)
    start_time = 1_700_000_000_000_000 + kernel.table[worker].start
    expected = Process(worker, server, kernel.shell, start_time, runs_its_parents_program=True)
    assert MacOS(kernel).find_process(worker) == expected
    assert MacOS(kernel).executable(worker) == PYTHON


def test_macos_knows_nothing_of_a_process_that_ends_meanwhile(
    kernel: MacKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(pid: int) -> int:
        raise ProcessLookupError(errno.ESRCH, "No such process")

    monkeypatch.setattr(os, "getsid", ended)
    assert MacOS(kernel).find_process(kernel.shell) is None


@pytest.mark.parametrize("defect", ["refused", "other length", "other layout"])
def test_macos_trusts_no_structure_that_it_does_not_know(kernel: MacKernel, defect: str) -> None:
    class Changed(MacKernel):
        def sysctl(self, name: Any, length: int, out: Any, size: Any, new: None, new_size: int) -> int:
            super().sysctl(name, length, out, size, new, new_size)
            if defect == "other length":
                size.contents.value = 640
            if defect == "other layout":
                ctypes.memmove(out, b"\0" * 64, 64)
            return -1 if defect == "refused" else 0

    changed = Changed()
    assert MacOS(changed).find_process(changed.shell) is None


def test_macos_reserves_space_after_the_end_and_then_lengthens_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[int, tuple[int, ...], int]] = []

    def preallocate(descriptor: int, command: int, request: bytes) -> bytes:
        calls.append((command, struct.unpack("@Iiqqq", request), os.fstat(descriptor).st_size))
        return request

    monkeypatch.setattr(fcntl, "fcntl", preallocate)
    with (tmp_path / "file").open("wb") as file:
        MacOS().reserve(file.fileno(), 0, 4096)
        MacOS().reserve(file.fileno(), 4096, 8192)
        assert os.fstat(file.fileno()).st_size == 12288
    allocate_all, from_the_end = 4, 3
    assert calls == [
        (F_PREALLOCATE, (allocate_all, from_the_end, 0, 4096, 0), 0),
        (F_PREALLOCATE, (allocate_all, from_the_end, 0, 8192, 0), 4096),
    ]


def test_macos_does_not_lengthen_a_file_on_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, command: int, request: bytes) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(fcntl, "fcntl", full)
    with (tmp_path / "file").open("wb") as file:
        with pytest.raises(OSError, match="No space left"):
            MacOS().reserve(file.fileno(), 0, 4096)
        assert os.fstat(file.fileno()).st_size == 0


def test_a_system_without_reservation_leaves_the_file_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    with (tmp_path / "file").open("wb") as file:
        Linux().reserve(file.fileno(), 0, 4096)
        assert os.fstat(file.fileno()).st_size == 0
