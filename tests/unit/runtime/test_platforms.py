"""What systems lack that are not Linux: hidden here, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.server  # on one Python: they take a while

HIDDEN = {
    "file locks": "sys.modules['fcntl'] = None",
    "reservation of disk space": "del os.posix_fallocate",
    "hooks at fork": "del os.register_at_fork",
}
CONTRACTS = [
    "tests/unit/aggregation/test_store_contract.py",
    "tests/unit/instruments/test_synchronous.py",
    "tests/contracts",
]


@pytest.mark.parametrize("what", HIDDEN)
def test_the_contracts_of_a_single_process_hold_without(what: str) -> None:
    # The standard library's own users of what is hidden come first: they do not expect it to be missing.
    modules = "os, sys, asyncio, logging, random, concurrent.futures.thread, pytest"
    code = f"import {modules}; {HIDDEN[what]}; sys.exit(pytest.main(sys.argv[1:]))"
    # A child that forks needs the hooks, so where they are hidden the contract of the fork is left out.
    options = ["-q", "-x", "-p", "no:cacheprovider", "-k", "not forked"]
    done = subprocess.run(
        [sys.executable, "-c", code, *options, *CONTRACTS],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
