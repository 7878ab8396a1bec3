from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import CONVENTIONS


@pytest.fixture(params=CONVENTIONS)
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(convention=request.param, metrics_exporter="prometheus", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()
