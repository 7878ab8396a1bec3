"""A Telemetry in each convention, for the tests of the protocols themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing import Recorded
from dualmetrics.testing.recorded import CONVENTIONS
from dualmetrics.testing.site import EXCLUDE


@pytest.fixture(params=CONVENTIONS)
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(
        convention=request.param, metrics_exporter="prometheus", exclude=EXCLUDE, directory=str(tmp_path)
    )
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)
