"""The table of docs/parity.md is the one that is tested with real receivers."""

from __future__ import annotations

import os
from pathlib import Path

from tests.conformance import differences

CHECKOUT = Path(os.environ.get("TEST_CHECKOUT", "."))


def test_the_table_of_differences_is_up_to_date() -> None:
    found = (CHECKOUT / "docs" / "parity.md").read_text(encoding="utf-8")
    assert differences.table() in found, "run python -m tests.conformance.differences"
