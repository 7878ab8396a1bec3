"""A Telemetry in each convention, for the tests of the protocols themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dualmetrics import Telemetry
from dualmetrics.testing import Recorded
from dualmetrics.testing.recorded import CONVENTIONS
from dualmetrics.testing.site import EXCLUDE

DETAILS: dict[str, Any] = {
    "body_size": True,
    "time_to_first_byte": True,
    "websockets": True,
    "active_by_route": True,
    "attributes": {"tenant": ["a"]},
}
"""Settings with which other classes record requests. What is true without details is true with them."""


@pytest.fixture(params=[*CONVENTIONS, "details"])
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    settings = (
        {"convention": "both", **DETAILS} if request.param == "details" else {"convention": request.param}
    )
    telemetry = Telemetry(metrics_exporter="prometheus", exclude=EXCLUDE, directory=str(tmp_path), **settings)
    yield telemetry
    telemetry.shutdown()


@pytest.fixture
def recorded(telemetry: Telemetry) -> Recorded:
    return Recorded(telemetry)
