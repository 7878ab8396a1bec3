"""A meter on private memory, for tests of the instruments."""

from __future__ import annotations

from typing import Any

from dualmetrics.config.loading import load_settings
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.meter import MeterProvider
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import ErrorReporter
from tests.unit.stores import worker


class Recording:
    """A meter provider on private memory, and what it has recorded."""

    def __init__(self, buckets: dict[str, tuple[float, ...]] | None = None) -> None:
        self.store = worker(None)
        self.errors = ErrorReporter()
        self.callbacks = CallbackRunner(self.errors)
        exemplars = ExemplarFilter(self.store, self.errors, load_settings({}))
        self.provider = MeterProvider(self.store, self.callbacks, self.errors, exemplars, buckets or {})
        self.meter = self.provider.get_meter("tests")

    def family(self) -> Family:
        """The only metric."""
        [family] = self.store.read().families
        return family

    def cells(self) -> dict[tuple[Any, ...], list[float]]:
        """The cells of the only metric, by attributes."""
        return {point.attributes: list(point.cells) for point in self.family().points}
