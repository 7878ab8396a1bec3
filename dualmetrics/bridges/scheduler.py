"""Imports the metrics that other libraries keep, each worker those of its own process.

Collectors that are cheap to read are read every quarter of a second, so that a worker that is killed loses
no more than that. All are read together with the observable instruments: every few seconds, and at once in
the process that answers a scrape or pushes.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.collector_readers import CollectorReaders
from dualmetrics.bridges.protocols import MetricSource
from dualmetrics.bridges.read_loop import ReadLoop
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.bridges.sum_importer import SumImporter
from dualmetrics.config.settings import SettingsError
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.runtime.errors import ErrorReporter

_LEFT_OUT = (
    "dualmetrics: %s is left out: %s. All other metrics are exported. Change this one, or unregister it if "
    "you do not need it"
)
_DUPLICATE = (
    "dualmetrics: two collectors show the same series of %s: counts are added up, and of other values the "
    "latest is shown. If that is not what you want, unregister one of them, or give one another label"
)


class BridgeScheduler:
    """All sources of one `Telemetry`, and when they are read."""

    def __init__(
        self,
        store: GroupStore,
        callbacks: CallbackRunner,
        errors: ErrorReporter,
        *,
        exemplars: bool = True,
    ) -> None:
        """``callbacks`` reads all collectors in each round. ``exemplars``: whether to import exemplars."""
        self._errors = errors
        self._importer = SeriesImporter(store, self._report_duplicate, exemplars=exemplars)
        self._readers = CollectorReaders(self._importer, errors)
        self._loop = ReadLoop(self._readers, errors)
        self._sums = SumImporter(self._readers)
        self._group_rounds = CallbackRunner(errors)
        callbacks.add_dynamic(self._readers.current)

    def attach(self, source: MetricSource) -> None:
        """Read ``source`` from now on."""
        self._readers.sources.append(source)

    def read_registries(self, registries: Collection[object]) -> None:
        """Attach registries of prometheus_client. Raises SettingsError if it is not installed."""
        if not registries:
            return
        try:
            from dualmetrics.bridges.nan_sums import report_nan_sum
            from dualmetrics.bridges.registry import RegistrySource, is_opentelemetry
        except ImportError as error:
            raise SettingsError(
                'DUALMETRICS_REGISTRIES needs the extra `prometheus`: pip install "dualmetrics[prometheus]"'
            ) from error

        def is_read_from_sdk(collector: object) -> bool:
            return self.reads("sdk") and is_opentelemetry(collector)

        report_nan = partial(report_nan_sum, self._errors)
        self.attach(RegistrySource(registries, self._report_left_out, is_read_from_sdk, report_nan))

    def reads(self, name: str) -> bool:
        """Whether a source with this name is attached."""
        return any(source.name == name for source in self._readers.sources)

    def resource(self) -> dict[str, str]:
        """The resource attributes that the sources have."""
        return {key: value for source in self._readers.sources for key, value in source.resource().items()}

    @property
    def importing_sums(self) -> bool:
        """Whether the sums are being imported, before a fork or at exit."""
        return self._sums.active

    @property
    def running(self) -> bool:
        """Whether metrics are imported, and the background thread runs if it is needed."""
        return not self._importer.closed and (self._loop.running or not self._readers.sources)

    def start(self) -> None:
        """Import from now on, and start the background thread if there is a source."""
        self._importer.open()
        if self._readers.sources:
            self._loop.start()

    def pause(self) -> None:
        """Stop the background thread. Collectors are still read with the observable instruments."""
        self._loop.pause()

    def stop_importing(self) -> None:
        """Import nothing more until the next `start`."""
        self._importer.close()

    def refresh(self) -> None:
        """Read the collectors whose values hold for the whole group, whether this worker leads or not."""
        self._group_rounds.run_only(reader for reader in self._readers.current() if reader.once_per_group)

    def import_sums(self) -> None:
        """Import the sums of now in this thread, whether or not the background thread was ever started."""
        self._sums.import_sums()

    def _report_left_out(self, what: str, why: str) -> None:
        self._errors.count()
        self._errors.log_once(f"left out {what}", _LEFT_OUT, what, why)

    def _report_duplicate(self, name: str) -> None:
        self._errors.log_once(f"duplicate {name}", _DUPLICATE, name)
