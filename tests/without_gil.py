"""Declares the interpreter's lock absent, so that recording takes its own locks on every Python.

Import this before anything of dualmetrics. The tests do so if the variable ``TEST_WITHOUT_GIL`` is set
(`tox -e without_gil`).
"""

from __future__ import annotations

import sys

assert "dualmetrics.runtime.free_threading" not in sys.modules, "dualmetrics has decided already"
sys._is_gil_enabled = lambda: False  # type: ignore[attr-defined,unused-ignore]  # new in 3.13
