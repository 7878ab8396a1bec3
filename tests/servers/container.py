"""Runs a module as pid 1 of a new pid namespace, as a container does."""

from __future__ import annotations

import os
import sys

COMMAND = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]

if __name__ == "__main__":
    os.execvp(COMMAND[0], [*COMMAND, sys.executable, "-m", *sys.argv[1:]])
