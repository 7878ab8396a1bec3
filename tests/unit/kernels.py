"""Kernels with processes that do not exist, as Linux and macOS show them to `operating_system`."""

from __future__ import annotations

import ctypes
import errno
import itertools
import multiprocessing
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

from dualmetrics.runtime import operating_system
from dualmetrics.runtime.operating_system.base import OperatingSystem
from dualmetrics.runtime.operating_system.linux import Linux
from dualmetrics.runtime.operating_system.macos import MacOS
from dualmetrics.workers.discovery import GroupRoot, find_root

PYTHON = "/usr/bin/python3"
SHELL = "/bin/sh"


class Entry(NamedTuple):
    """What a kernel knows of a process."""

    parent: int
    session: int
    start: int
    executable: str
    called_exec: bool
    arguments: tuple[str, ...] = ()


class Kernel:
    """Processes of one machine. Pid 1 is its first process, and `shell` one in a session of its own."""

    def __init__(self) -> None:
        self.clock = itertools.count(1000)
        self.pids = itertools.count(100)
        self.table = {1: Entry(0, 1, 1, "/sbin/init", called_exec=True)}
        self.shell = self.exec(self.setsid(self.fork(1)), SHELL)

    def fork(self, parent: int, pid: int | None = None) -> int:
        pid = next(self.pids) if pid is None else pid
        self._set(pid, self.table[parent]._replace(parent=parent, start=next(self.clock), called_exec=False))
        return pid

    def exec(self, pid: int, executable: str = PYTHON, *arguments: str) -> int:
        entry = self.table[pid]._replace(executable=executable, called_exec=True)
        self._set(pid, entry._replace(arguments=(executable, *arguments)))
        return pid

    def setsid(self, pid: int) -> int:
        self._set(pid, self.table[pid]._replace(session=pid))
        return pid

    def start(self, parent: int, executable: str = PYTHON, *arguments: str) -> int:
        """Start a program, as a shell does."""
        return self.exec(self.fork(parent), executable, *arguments)

    def end(self, pid: int) -> None:
        """End a process. Its children become children of pid 1."""
        del self.table[pid]
        for child, entry in list(self.table.items()):
            if entry.parent == pid:
                self._set(child, entry._replace(parent=1))

    def _set(self, pid: int, entry: Entry) -> None:
        self.table[pid] = entry

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let `operating_system.current` show these processes."""
        monkeypatch.setattr(os, "getsid", self.getsid)

    def getsid(self, pid: int) -> int:
        """As getsid(2), which also answers for processes that cannot be read."""
        if pid not in self.table:
            raise ProcessLookupError
        return self.table[pid].session

    def hide(self, pid: int) -> None:
        """Let nothing of a process be read, as ``hidepid=2`` does with those of other users."""
        raise NotImplementedError


class LinuxKernel(Kernel):
    """Writes a ``/proc``."""

    def __init__(self, directory: Path) -> None:
        self.proc = directory
        (self.proc / "self" / "ns").mkdir(parents=True)
        (self.proc / "self" / "ns" / "pid").symlink_to("pid:[4026531836]")
        super().__init__()

    def _set(self, pid: int, entry: Entry) -> None:
        super()._set(pid, entry)
        directory = self.proc / str(pid)
        directory.mkdir(exist_ok=True)
        flags = 0x400000 if entry.called_exec else 0x400040
        zeros = " ".join("0" * 12)
        stat = f"{pid} (a) b) S {entry.parent} 1 {entry.session} 0 -1 {flags} {zeros} {entry.start} 0\n"
        (directory / "stat").write_text(stat)
        (directory / "cmdline").write_text("".join(f"{argument}\0" for argument in entry.arguments))
        (directory / "exe").unlink(missing_ok=True)
        (directory / "exe").symlink_to(entry.executable)

    def end(self, pid: int) -> None:
        super().end(pid)
        (self.proc / str(pid) / "stat").unlink()
        (self.proc / str(pid) / "exe").unlink()

    def hide(self, pid: int) -> None:
        for name in ("stat", "exe", "cmdline"):
            (self.proc / str(pid) / name).unlink()

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().install(monkeypatch)
        monkeypatch.setattr(operating_system, "current", Linux(str(self.proc)))


class ExternProc(ctypes.Structure):
    """``struct extern_proc`` of ``sys/proc.h``. Members that the kernel leaves empty are summed up."""

    _fields_ = (
        ("start_seconds", ctypes.c_long),
        ("start_microseconds", ctypes.c_int32),
        ("vmspace_and_sigacts", ctypes.c_void_p * 2),
        ("flag", ctypes.c_int),
        ("stat", ctypes.c_char),
        ("pid", ctypes.c_int),
        ("oppid_and_dupfd", ctypes.c_int * 2),
        ("stack_and_exit_thread", ctypes.c_void_p * 2),
        ("debugger_to_pctcpu", ctypes.c_int * 5),
        ("wchan_and_wmesg", ctypes.c_void_p * 2),
        ("swtime_and_slptime", ctypes.c_uint * 2),
        ("realtimer_and_rtime", ctypes.c_long * 6),
        ("ticks", ctypes.c_uint64 * 3),
        ("traceflag", ctypes.c_int),
        ("tracep", ctypes.c_void_p),
        ("siglist", ctypes.c_int),
        ("textvp", ctypes.c_void_p),
        ("holdcnt_and_signals", ctypes.c_int * 4),
        ("priorities_and_comm", ctypes.c_char * (3 + 17)),
        ("pgrp_and_addr", ctypes.c_void_p * 2),
        ("xstat_and_acflag", ctypes.c_ushort * 2),
        ("ru", ctypes.c_void_p),
    )


class Pcred(ctypes.Structure):
    """``struct _pcred`` of ``sys/sysctl.h``, likewise."""

    _fields_ = (("lock", ctypes.c_char * 72), ("ucred", ctypes.c_void_p), ("ids", ctypes.c_int * 5))


class Vmspace(ctypes.Structure):
    """``struct vmspace`` of ``sys/vm.h``."""

    _fields_ = (
        ("dummy", ctypes.c_int32),
        ("dummy2", ctypes.c_void_p),
        ("dummy3", ctypes.c_int32 * 5),
        ("dummy4", ctypes.c_void_p * 3),
    )


class KinfoProc(ctypes.Structure):
    """``struct kinfo_proc`` of ``sys/sysctl.h``, likewise."""

    _fields_ = (
        ("proc", ExternProc),
        ("paddr_and_sess", ctypes.c_void_p * 2),
        ("pcred", Pcred),
        ("ucred_ref_and_uid", ctypes.c_int * 2),
        ("ucred_ngroups", ctypes.c_short),
        ("ucred_groups", ctypes.c_int * 16),
        ("vm", Vmspace),
        ("ppid", ctypes.c_int),
        ("pgid", ctypes.c_int),
        ("jobc", ctypes.c_short),
        ("tdev_and_tpgid", ctypes.c_int * 2),
        ("tsess", ctypes.c_void_p),
        ("wmesg", ctypes.c_char * 8),
        ("xsize", ctypes.c_int32),
        ("rss", ctypes.c_short * 3),
        ("flag", ctypes.c_int32),
        ("login", ctypes.c_char * 12),
        ("spare", ctypes.c_int32 * 4),
    )


class MacKernel(Kernel):
    """Is the C library of macOS, as far as processes are concerned."""

    def sysctl(self, name: Any, length: int, out: Any, size: Any, new: None, new_size: int) -> int:
        """As sysctl(3): succeeds with no bytes if there is no such process."""
        assert (length, new, new_size) == (len(name), None, 0)
        if list(name)[:2] == [1, 49]:
            return self._arguments(name[2], out, size)
        assert list(name)[:3] == [1, 14, 1]
        entry = self.table.get(name[3])
        if entry is None:
            size.contents.value = 0
            return 0
        kinfo = KinfoProc(ppid=entry.parent)
        kinfo.proc.pid = name[3]
        kinfo.proc.flag = 0x4004 if entry.called_exec else 0x4
        kinfo.proc.start_seconds, kinfo.proc.start_microseconds = 1_700_000_000, entry.start
        assert size.contents.value >= ctypes.sizeof(kinfo)
        ctypes.memmove(out, ctypes.byref(kinfo), ctypes.sizeof(kinfo))
        size.contents.value = ctypes.sizeof(kinfo)
        return 0

    def _arguments(self, pid: int, out: Any, size: Any) -> int:
        """KERN_PROCARGS2: fails if there is no such process."""
        if pid not in self.table:
            return -1
        entry = self.table[pid]
        texts = [entry.executable, "", "", *entry.arguments, "HOME=/root"]
        data = len(entry.arguments).to_bytes(4, "little") + "\0".join(texts).encode() + b"\0"
        assert size.contents.value >= len(data)
        ctypes.memmove(out, data, len(data))
        size.contents.value = len(data)
        return 0

    def proc_pidpath(self, pid: int, out: Any, size: int) -> int:
        if pid not in self.table:
            ctypes.set_errno(errno.ESRCH)
            return 0
        out.value = self.table[pid].executable.encode()
        return len(out.value)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().install(monkeypatch)
        monkeypatch.setattr(operating_system, "current", MacOS(self))


def root_seen_by(pid: int, multiprocessing_parent: int | None = None) -> GroupRoot | None:
    """The root that the process ``pid`` finds, if `multiprocessing` has told it of this parent."""
    reported = None if multiprocessing_parent is None else SimpleNamespace(pid=multiprocessing_parent)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "getpid", lambda: pid)
        patched.setattr(multiprocessing, "parent_process", lambda: reported)
        return find_root()


def root_pid(pid: int, multiprocessing_parent: int | None = None) -> int:
    """The pid of that root."""
    root = root_seen_by(pid, multiprocessing_parent)
    assert root is not None
    return root.pid


def unknown_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run on a system that is neither."""
    monkeypatch.setattr(operating_system, "current", OperatingSystem())
