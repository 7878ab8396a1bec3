"""The commands get the encodings that a shell gives them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the encoding that tox sets for all output."""
    for name in ("PYTHONIOENCODING", "PYTHONUTF8"):
        monkeypatch.delenv(name, raising=False)
