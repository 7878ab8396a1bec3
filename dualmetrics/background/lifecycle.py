"""When the background work of one Telemetry starts and ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background.worker_thread import BackgroundWorker
from dualmetrics.runtime import exit_hooks, forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.membership import GroupAddress


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

    Nothing starts when an app is built in the process that started the server: a server that preloads the app
    forks its workers afterwards, and the threads have to be theirs. Such a process becomes a *caretaker* at
    its first fork: it folds and pushes what its children leave behind, and is itself no worker.

    Without ``enabled`` nothing ever starts. ``shutdown_timeout`` is in seconds.
    """

    starts_by_itself: ClassVar[bool] = True
    """Whether recording, a scrape, a fork or the end of the process may start anything. False in tests."""

    _was_worker = False
    """Whether this process was a worker before the fork that is under way."""

    _is_shut_down = False
    """Whether the last call was `shutdown`, and nothing was used since."""

    _serves_forked = False
    """Whether the children of this process serve the app that was built here."""

    def __init__(
        self,
        address: GroupAddress,
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
        self._address = address
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
        forking.register(self)

    def app_built(self) -> None:
        """An app was built here that tells nothing of its start, as all on WSGI. A worker begins to work.

        The root of a group may be a single process that serves, or one that forks its workers later.
        """
        if not self._enabled:
            return
        if self._address.is_root:
            self._serves_forked = True
        else:
            self.join()

    def join(self) -> None:
        """Become a worker of the group, whether anything is recorded or not."""
        if self._enabled:
            self._store.become_worker()
            self._start_by_itself()

    def page_asked(self) -> None:
        """Join: a process that answers a scraper is a worker, unless it answers for others."""
        if not self._store.is_caretaker:
            self.join()

    def _start_by_itself(self) -> None:
        if self.starts_by_itself:
            self.start()

    def start(self) -> None:
        """Start what does not run yet, and look for a tracer that was set late."""
        self._is_shut_down = False
        self._detect_tracer()
        if self._enabled:
            exit_hooks.cover_multiprocessing()
            self._worker.start()
            if not self._importer.running:
                self._importer.start()

    def before_fork(self) -> None:
        """Note whether this process is a worker, whose children are none."""
        works = self._worker.running or self._store.is_recording
        self._was_worker = works and not self._store.is_caretaker

    def after_fork_in_parent(self) -> None:
        """Become a caretaker, unless this process is a worker."""
        if self._enabled and self.starts_by_itself and not (self._was_worker or self._is_shut_down):
            self._store.is_caretaker = True
            self._worker.start()

    def after_fork_in_child(self) -> None:
        """Become a worker if the parent only built the app. It may change its user before it serves."""
        if self._enabled and self._serves_forked and not self._was_worker and self.starts_by_itself:
            self._worker.start_later(self.join)
        self._serves_forked = False

    def shutdown(self, timeout: float | None = None) -> bool:
        """Leave the group; see `Telemetry.shutdown`."""
        if not self._worker.running:
            self._is_shut_down = True
            self._close_exporters()  # those of a thread that was paused
            return True
        self._importer.pause()
        done = self._worker.finish(self._shutdown_timeout if timeout is None else timeout)
        self._is_shut_down = True  # not before: the last round uses the store
        # Rows that were handed out during the last push have started nothing.
        self._store.invalidate_rows()
        return done

    def pause(self) -> None:
        """Stop all background work until the next use."""
        self._is_shut_down = True
        self._importer.pause()
        self._worker.pause()

    def at_exit(self) -> None:
        """Shut down at the end of the process, and remove the group's directory if this is its root."""
        try:
            if self._enabled and self.starts_by_itself and not self._worker.running:
                self._finish_without_thread()
            self.shutdown()
            self._store.remove_own_group()
        except Exception as error:
            self._errors.error("the shutdown at exit", error)

    def _finish_without_thread(self) -> None:
        """Push what a process has counted whose thread was never started, or was paused."""
        self._importer.import_sums()
        if self._store.is_recording:
            self._worker.finish_in_new_thread(self._shutdown_timeout)

    def _used(self) -> None:
        # `import_sums` also runs where no thread may start: before a fork, and at exit.
        if not self._importer.importing_sums:
            self._start_by_itself()
