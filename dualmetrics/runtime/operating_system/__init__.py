"""What differs between operating systems: processes, disk space, and where shared files may lie.

`current` is the system of this process. `base` says what every system answers, `linux` and `macos` know more.
File locks are not here, because ``flock`` is the same on both (see `dualmetrics.runtime.file_locks`).
"""

from __future__ import annotations

import sys

from dualmetrics.runtime.operating_system.base import OperatingSystem


def detect(platform: str) -> OperatingSystem:
    """Return the system with this value of ``sys.platform``. On one that is not known, no group is found."""
    if platform == "linux":
        from dualmetrics.runtime.operating_system.linux import Linux

        return Linux()
    if platform == "darwin":
        from dualmetrics.runtime.operating_system.macos import MacOS

        return MacOS()
    return OperatingSystem()


current = detect(sys.platform)
