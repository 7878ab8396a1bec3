"""Marks all tests of this folder as server tests, which run on one Python.

They take long, and break files and processes rather than Python.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before pytest selects tests by their markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test of this folder."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.server)
