"""macOS, built by its manual pages, its public headers and the source of its kernel. Not yet run on a Mac.

What is relied on:

- ``sysctl(KERN_PROC_PID)`` fills a ``struct kinfo_proc``, also for processes of other users. It succeeds with
  a length of 0 if there is no such process. (``proc_pidinfo(PROC_PIDTBSDINFO)`` tells only of processes of
  the same user, so a worker that gave up root could not find its master.)
- ``p_flag`` has P_EXEC, "process called exec". A forked child does not inherit it (``forkproc`` in the kernel
  copies a few other flags), and exec and ``posix_spawn`` set it. So a process without it was forked and has
  not called exec since. psutil does not offer this flag, so it could not be used instead.
- ``p_starttime`` is the time of the fork in microseconds, by the system's clock. exec keeps it. If the clock
  is set back after the server has started, later workers are in groups of their own.
- ``sysctl(KERN_PROCARGS2)`` gives the number of arguments, the path of the program, zeros, the arguments and
  the environment, for processes of the same user.
- ``getsid(2)`` and ``proc_pidpath`` answer for processes of other users, too.
- There are no pid namespaces.
- ``fcntl(F_PREALLOCATE)`` with F_PEOFPOSMODE allocates space after the end of a file, and ``ftruncate`` then
  adds it to the file. It cannot fill a hole in a sparse file. So the space for a worker file is reserved all
  at once, and the file is smaller than on Linux: about 80,000 series fit.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import struct
from typing import Any

from dualmetrics.runtime.operating_system.base import OperatingSystem, Process

KERN_PROC_PID = (1, 14, 1)
"""CTL_KERN, KERN_PROC and KERN_PROC_PID from ``sys/sysctl.h``. The pid follows."""

KERN_PROCARGS2 = (1, 49)
"""CTL_KERN and KERN_PROCARGS2. The pid follows."""

MAX_ARGUMENTS = 1 << 20
"""ARG_MAX: arguments and environment of a process are not longer than this many bytes."""

KINFO_PROC_SIZE = 648
"""``sizeof(struct kinfo_proc)`` on 64-bit systems, Intel and Apple silicon."""

PROCESS_FIELDS = struct.Struct("=qi 20x I 4x i")
"""The seconds and microseconds of p_starttime, p_flag and p_pid, from the start of ``struct kinfo_proc``."""

PARENT_OFFSET = 560
"""Offset of e_ppid, an int, in ``struct kinfo_proc``."""

P_EXEC = 0x4000

PATH_SIZE = 4096
"""PROC_PIDPATHINFO_MAXSIZE from ``sys/proc_info.h``."""

F_PREALLOCATE = 42
F_ALLOCATEALL = 4
F_PEOFPOSMODE = 3

COUNT = struct.Struct("=i")
"""The number of arguments, at the beginning of what KERN_PROCARGS2 gives."""

FSTORE = struct.Struct("=Iiqqq")
"""``struct fstore``: flags, position mode, offset, length, and the number of bytes that were allocated."""


class MacOS(OperatingSystem):
    """``libc`` replaces the C library in tests."""

    file_capacity = 1 << 25
    reservation_step = file_capacity

    def __init__(self, libc: Any = None) -> None:
        self._given_libc = libc

    @functools.cached_property
    def _libc(self) -> Any:
        return self._given_libc or _load_libc()

    def find_process(self, pid: int) -> Process | None:
        """Ask the kernel. The start time is in microseconds."""
        kinfo = self._kinfo_proc(pid)
        if kinfo is None:
            return None
        seconds, microseconds, flags, found = PROCESS_FIELDS.unpack_from(kinfo)
        (parent,) = struct.unpack_from("=i", kinfo, PARENT_OFFSET)
        try:
            session = os.getsid(pid)
        except OSError:  # it has just ended
            return None
        start_time = seconds * 1_000_000 + microseconds
        return Process(pid, parent, session, start_time, not flags & P_EXEC) if found == pid else None

    def _kinfo_proc(self, pid: int) -> bytes | None:
        """The ``struct kinfo_proc`` of a process, or None if there is none or it has another layout."""
        found = self._sysctl((*KERN_PROC_PID, pid), KINFO_PROC_SIZE)
        return found if len(found) == KINFO_PROC_SIZE else None

    def _sysctl(self, name: tuple[int, ...], max_size: int) -> bytes:
        """What the kernel says under this name; nothing if it says nothing."""
        buffer = ctypes.create_string_buffer(max_size)
        size = ctypes.c_size_t(max_size)
        numbers = (ctypes.c_int * len(name))(*name)
        failed = self._libc.sysctl(numbers, len(name), buffer, ctypes.pointer(size), None, 0)
        return b"" if failed else buffer.raw[: size.value]

    def command_line(self, pid: int) -> list[str]:
        found = self._sysctl((*KERN_PROCARGS2, pid), MAX_ARGUMENTS)
        if len(found) < COUNT.size:
            return []
        (count,) = COUNT.unpack_from(found)
        _, _, rest = found[COUNT.size :].partition(b"\0")  # after the path of the program
        return [os.fsdecode(argument) for argument in rest.lstrip(b"\0").split(b"\0")[:count]]

    def executable(self, pid: int) -> str:
        buffer = ctypes.create_string_buffer(PATH_SIZE)
        if self._libc.proc_pidpath(pid, buffer, PATH_SIZE) <= 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        return os.fsdecode(buffer.value)

    def reserve(self, descriptor: int, offset: int, length: int) -> None:
        """Lengthen a file that ends at ``offset`` by ``length`` bytes of reserved space."""
        request = FSTORE.pack(F_ALLOCATEALL, F_PEOFPOSMODE, 0, length, 0)
        fcntl.fcntl(descriptor, F_PREALLOCATE, request)
        os.ftruncate(descriptor, offset + length)


def _load_libc() -> Any:
    """The C library, with the types of the functions that are called."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sysctl.argtypes = [
        ctypes.POINTER(ctypes.c_int),
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.POINTER(ctypes.c_size_t),
        ctypes.c_void_p,
        ctypes.c_size_t,
    ]
    libc.proc_pidpath.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    return libc
