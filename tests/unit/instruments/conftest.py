from __future__ import annotations

import pytest

from tests.unit.instruments.recording import Recording


@pytest.fixture
def recording() -> Recording:
    return Recording()
