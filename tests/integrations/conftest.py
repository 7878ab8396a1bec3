"""A Telemetry for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    made = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    yield made
    made.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)
