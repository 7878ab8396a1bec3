"""A pytest plugin: the fixture ``metrics``.

It is a package of its own because pytest imports it in every test run of an environment that has dualmetrics.
A module of ``dualmetrics`` would load what records. This one loads it when a test asks for the fixture.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dualmetrics.testing import Metrics

__all__ = ["metrics"]


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    """The metrics of the app, from zero at the start of the test; see docs/testing.md of dualmetrics.

    During the test, no `Telemetry` of the process pushes or opens a port, and none counts together with
    processes other than the children of this one.
    """
    from dualmetrics.testing import isolated

    with isolated() as isolated_metrics:
        yield isolated_metrics


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain a failed comparison of a value that the fixture returned."""
    values = sys.modules.get("dualmetrics.testing.reading")
    if values is None:
        return None
    lines: list[str] | None = values.explain(op, left, right)
    return lines
