"""Replaces this process by another program: ``python -m tests.servers.shell PROGRAM ARGUMENTS``."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    os.execvp(sys.argv[1], sys.argv[1:])
