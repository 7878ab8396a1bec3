"""The library on systems that lack features of Linux. A separate process hides these features."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.server  # slow, so they run on one Python version only

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


@pytest.mark.parametrize("feature", HIDDEN)
def test_the_contracts_of_a_single_process_hold_without(feature: str) -> None:
    # Modules of the standard library that use the feature are imported first, because they need it.
    modules = "os, sys, asyncio, logging, random, concurrent.futures.thread, pytest"
    code = f"import {modules}; {HIDDEN[feature]}; sys.exit(pytest.main(sys.argv[1:]))"
    # Forked children need the hooks, so the tests that fork are left out.
    kinds = ["-k", "not forked", "-m", "not frameworks and not server"]
    options = ["-q", "-x", "-p", "no:cacheprovider", *kinds]
    completed = subprocess.run(
        [sys.executable, "-c", code, *options, *CONTRACTS],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout[-3000:] + completed.stderr[-3000:]
