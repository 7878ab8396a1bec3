"""Joining what others measure: collectors are read by each worker, and shared like our own rows.

Those that a read costs nothing are read every `TICK`, so that a worker that is killed loses no more than came
since. All are read with the observable instruments: every few seconds, and at once in the process that
answers or pushes.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.bridges.collector_reader import CollectorReader
from dualmetrics.bridges.protocols import MetricCollector, MetricSource
from dualmetrics.bridges.series_importer import SeriesImporter
from dualmetrics.config.settings import SettingsError
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.model.snapshot import Family
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.threads import start_thread

TICK = 0.25
"""Seconds between two reads."""

_SPARE = 20  # times what a read took, before the next one: a twentieth of a processor,
_LATEST = 0.9  # but no more seconds than this, so that a killed worker loses no more than came in one,
_LEAST_SPARE = 10  # unless it were more than a tenth of a processor
_STILL = 0.5  # seconds that a fork waits for reads under way, whose locks the child would find taken


Arbitrate = Callable[[tuple[Family, ...]], tuple[Family, ...]]


class BridgeScheduler:
    """All foreign collectors of a `Telemetry`."""

    def __init__(
        self,
        store: GroupStore,
        observers: CallbackRunner,
        arbitrate: Arbitrate,
        errors: ErrorReporter,
        *,
        exemplars: bool = True,
    ) -> None:
        """``arbitrate`` gives the families without those that must not be shown.

        ``exemplars``: whether those that come along are taken.
        """
        self.arbitrate = arbitrate
        self._errors = errors
        self._rows = SeriesImporter(store, self._twice, exemplars=exemplars)
        self._sources: list[MetricSource] = []
        self._readings: dict[int, CollectorReader] = {}
        self._quick = CallbackRunner(errors)
        self._quick.add_dynamic(lambda: (each for each in self._current() if each.collector.cheap))
        self._shared = CallbackRunner(errors)
        self._shared.add_dynamic(lambda: (each for each in self._current() if each.once_per_group))
        observers.add_dynamic(self._current)
        self.importing_sums = False
        self._stop: queue.SimpleQueue[None] | None = None
        self._held: list[CollectorReader] = []
        self._ticking, self._lock = threading.Lock(), threading.RLock()

    def attach(self, source: MetricSource) -> None:
        """Read ``source`` from now on."""
        self._sources.append(source)

    def read_registries(self, registries: Collection[object]) -> None:
        """Read those of prometheus_client. Raises SettingsError if it is not installed."""
        if not registries:
            return
        try:
            from dualmetrics.bridges.registry import RegistrySource, is_opentelemetry
        except ImportError as error:
            raise SettingsError(
                'DUALMETRICS_REGISTRIES needs the extra `prometheus`: pip install "dualmetrics[prometheus]"'
            ) from error

        def told_by_the_sdk(collector: object) -> bool:
            return self.reads("sdk") and is_opentelemetry(collector)

        self.attach(RegistrySource(registries, self.left_out, told_by_the_sdk))

    def reads(self, name: str) -> bool:
        """Whether a source of this name is attached."""
        return any(source.name == name for source in self._sources)

    def left_out(self, what: str, why: str) -> None:
        """Say once what cannot be shown, and count it."""
        self._errors.count()
        self._errors.log_once(f"left out {what}", "dualmetrics: %s is left out: %s", what, why)

    def _twice(self, name: str) -> None:
        message = "dualmetrics: a series of %s is shown twice: counts add up, of values the latest stays"
        self._errors.log_once(f"twice {name}", message, name)

    def resource(self) -> dict[str, str]:
        """What the sources say of the process as a whole."""
        return {key: value for source in self._sources for key, value in source.resource().items()}

    @property
    def running(self) -> bool:
        """Whether it goes on: what is read is shared, and whatever there is to read is read."""
        return not self._rows.closed and (self._stop is not None or not self._sources)

    def start(self) -> None:
        """Start reading in the background, if there is anything to read."""
        with self._lock:
            self._rows.open()
            if self._sources and self._stop is None:
                stop: queue.SimpleQueue[None] = queue.SimpleQueue()
                if start_thread("dualmetrics-bridge", self._run, stop):
                    self._stop = stop

    def pause(self) -> None:
        """End the reading in the background; one that is under way would begin a new life of the process."""
        with self._lock:
            stop, self._stop = self._stop, None
        if stop is not None:
            stop.put(None)
            if self._ticking.acquire(timeout=_STILL):
                self._ticking.release()

    def end(self) -> None:
        """Share nothing any more, until it is started again."""
        self._rows.close()

    def refresh(self) -> None:
        """Read what holds for the group, in whichever worker this is."""
        self._shared.run(True)

    def import_sums(self) -> None:
        """Share the sums of now, which needs no thread; for who may never have shared anything."""
        self.importing_sums = True
        try:
            for reading in self._held or [each for each in self._current() if each.turn.acquire(False)]:
                if reading.collector.keeps_sums:
                    reading.import_sums()
                if reading not in self._held:
                    reading.turn.release()
        finally:
            self.importing_sums = False

    def before_fork(self) -> None:
        """Share what was counted, which then is ours and not the child's, and keep all still meanwhile."""
        deadline = time.monotonic() + _STILL
        for reading in self._current():
            if reading.turn.acquire(timeout=max(0.0, deadline - time.monotonic())):
                self._held.append(reading)
        self.import_sums()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        for reading in self._held:
            reading.turn.release()
        self._held = []

    def after_fork_in_child(self) -> None:
        """The threads and locks are the parent's."""
        self._stop, self._held = None, []
        self._ticking, self._lock = threading.Lock(), threading.RLock()
        for reading in self._readings.values():
            reading.turn = threading.Lock()
        self._quick.after_fork_in_child()
        self._shared.after_fork_in_child()
        self._rows.after_fork_in_child()

    def _current(self) -> Iterator[CollectorReader]:
        """One reading for each collector, the same one for as long as that is there."""
        with self._lock:  # two threads that made one each would have two memories of the same sums
            known = self._readings
            collectors = [each for source in self._sources for each in source.collectors()]
            current = {id(each): known.get(id(each)) or self._reading(each) for each in collectors}
            self._readings = current
        for number in known.keys() - current.keys():
            known[number].end()
        return iter(list(current.values()))

    def _reading(self, collector: MetricCollector) -> CollectorReader:
        return CollectorReader(collector, self._rows, self._errors)

    def _run(self, stop: queue.SimpleQueue[None]) -> None:
        pause = TICK
        while not _stopped(stop, pause):
            with self._ticking:
                if stop.empty():
                    self._quick.run(False, _STILL)
            costs = (reading.cost for reading in self._readings.values() if reading.collector.cheap)
            pause = pause_after(sum(costs))


def pause_after(cost: float) -> float:
    """Seconds until the next read after one that took a processor so many."""
    return max(TICK, min(_SPARE * cost, _LATEST), _LEAST_SPARE * cost)


def _stopped(stop: queue.SimpleQueue[None], seconds: float) -> bool:
    try:
        stop.get(timeout=seconds)
    except queue.Empty:
        return False
    return True
