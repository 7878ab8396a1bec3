"""Maps another file at the address of an existing mapping, which Python's mmap module cannot do."""

from __future__ import annotations

import ctypes
import mmap
import os

MAP_FIXED = 0x10
"""The same on Linux and macOS. The mmap module has no such constant."""

_FAILED = ctypes.c_void_p(-1).value


def map_over(memory: memoryview, descriptor: int) -> None:
    """Replace the mapping behind ``memory`` by one of the file ``descriptor``, in one step (mmap(2)).

    No other thread ever sees the address without a mapping. The file must be at least as long as ``memory``.
    Raises OSError, and has then changed nothing.
    """
    # PyDLL keeps the global lock of the interpreter during the call. So the other threads of this process
    # have little time to store a cell between the caller's copy of the old contents and this call.
    function = ctypes.PyDLL(None, use_errno=True).mmap
    function.restype = ctypes.c_void_p
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    protection = mmap.PROT_READ | mmap.PROT_WRITE
    flags = mmap.MAP_SHARED | MAP_FIXED
    if function(address, memory.nbytes, protection, flags, descriptor, 0) == _FAILED:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
