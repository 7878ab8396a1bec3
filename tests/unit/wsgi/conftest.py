from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics.telemetry import Telemetry


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", exclude="/grün,/é*", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()
