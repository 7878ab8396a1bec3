"""When the background work of one Telemetry starts and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background.worker_thread import BackgroundWorker
from dualmetrics.runtime import exit_hooks
from dualmetrics.runtime.errors import ErrorReporter


class Importer(Protocol):
    """What reads the metrics of other libraries in the background."""

    @property
    def importing_sums(self) -> bool: ...

    @property
    def running(self) -> bool: ...

    def start(self) -> None: ...

    def pause(self) -> None: ...

    def import_sums(self) -> None: ...


class Lifecycle:
    """Starts the background work at the first use, and ends it with the process.

    Nothing starts when an app is built: a server that preloads the app forks its workers afterwards, and
    the threads have to be theirs. Without ``enabled`` nothing ever starts. ``shutdown_timeout`` is in
    seconds.
    """

    def __init__(
        self,
        store: GroupStore,
        worker: BackgroundWorker,
        importer: Importer,
        detect_tracer: Callable[[], None],
        close_exporters: Callable[[], None],
        errors: ErrorReporter,
        *,
        shutdown_timeout: float,
        enabled: bool,
    ) -> None:
        self._store = store
        self._worker = worker
        self._importer = importer
        self._detect_tracer = detect_tracer
        self._close_exporters = close_exporters
        self._errors = errors
        self._shutdown_timeout = shutdown_timeout
        self._enabled = enabled
        if enabled:
            store.on_use = self._used
        exit_hooks.call_at_exit(self.at_exit)

    def start(self) -> None:
        """Start what does not run yet, and look for a tracer that was set late."""
        self._detect_tracer()
        if self._enabled and not (self._worker.running and self._importer.running):
            exit_hooks.cover_multiprocessing()
            self._worker.start()
            self._importer.start()

    def shutdown(self, timeout: float | None = None) -> bool:
        """Leave the group; see `Telemetry.shutdown`."""
        if not self._worker.running:
            self._close_exporters()  # those of a thread that a fork has ended
            return True
        self._importer.pause()
        done = self._worker.finish(self._shutdown_timeout if timeout is None else timeout)
        # Rows that were handed out during the last push have started nothing.
        self._store.invalidate_rows()
        return done

    def pause(self) -> None:
        """Stop all background work until the next use."""
        self._importer.pause()
        self._worker.pause()

    def at_exit(self) -> None:
        """Shut down at the end of the process, and remove the group's directory if this is its root."""
        try:
            if self._enabled and not self._worker.running:
                self._finish_without_thread()
            self.shutdown()
            self._store.remove_own_group()
        except Exception as error:
            self._errors.error("the shutdown at exit", error)

    def _finish_without_thread(self) -> None:
        """Push what a process has counted whose thread was never started, or was stopped for a fork."""
        self._importer.import_sums()
        if self._store.is_recording:
            self._worker.finish_in_new_thread(self._shutdown_timeout)

    def _used(self) -> None:
        # `import_sums` also runs where no thread may start: before a fork, and at exit.
        if not self._importer.importing_sums:
            self.start()
