"""Runs a module in a pid namespace of its own, where it has pid 1, as in a container."""

from __future__ import annotations

import os
import sys

COMMAND = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]

if __name__ == "__main__":
    os.execvp(COMMAND[0], [*COMMAND, sys.executable, "-m", *sys.argv[1:]])
