"""A test's own view of the metrics of this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from dualmetrics.background.lifecycle import Lifecycle
from dualmetrics.telemetry import Telemetry, all_telemetries
from dualmetrics.testing.metrics import Metrics
from dualmetrics.workers.discovery import own_root
from dualmetrics.workers.membership import GroupAddress

_DIRECTORY = "DUALMETRICS_DIR"


@contextlib.contextmanager
def isolated() -> Iterator[Metrics]:
    """Yield metrics that begin at zero, those of every `Telemetry`, and forget what they counted at the end.

    Meanwhile nothing is pushed unless the test calls `Telemetry.force_flush`, no port is opened, and this
    process forms a group with its children alone, whatever DUALMETRICS_DIR says.
    """
    directory = os.environ.pop(_DIRECTORY, None)  # programs that the test starts shall not have it, either
    for telemetry in _enabled():
        _leave_group(telemetry)
    GroupAddress.private_root, Lifecycle.starts_by_itself = own_root(), False
    try:
        for telemetry in _enabled():
            telemetry.reset()
        yield Metrics()
    finally:
        for telemetry in _enabled():
            _remove_group(telemetry)
        GroupAddress.private_root, Lifecycle.starts_by_itself = None, True
        if directory is not None:
            os.environ.setdefault(_DIRECTORY, directory)


def _enabled() -> list[Telemetry]:
    return [telemetry for telemetry in all_telemetries() if telemetry.enabled]


def _leave_group(telemetry: Telemetry) -> None:
    """Leave to the group what was counted so far."""
    parts = telemetry._components
    parts.lifecycle.pause()
    parts.election.release()
    parts.store.reset(forget=False)


def _remove_group(telemetry: Telemetry) -> None:
    telemetry.reset()
    parts = telemetry._components
    parts.election.release()
    parts.store.membership()
    parts.store.remove_own_group()
