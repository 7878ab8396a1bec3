"""A Telemetry for each test, and what it has recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)
