"""Pushing snapshots to where the settings say, and telling of changes, not of each push."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background import delta_baseline
from dualmetrics.config.settings import Settings
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime import file_locks
from dualmetrics.runtime.errors import ErrorReporter, logger
from dualmetrics.runtime.threads import start_thread

if TYPE_CHECKING:
    from dualmetrics.exporters.otlp.deadline import Exporter

_OFF = (
    "dualmetrics: no OTLP endpoint, so nothing is pushed. Set "
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 to push, or "
    "OTEL_METRICS_EXPORTER=prometheus to say that the page is all you want"
)


PATIENCE = 3
"""Timeouts until a push that does not end is given up: a big one has several messages, each with its own."""


class PushResult(NamedTuple):
    """Whether a push was taken, and how many points of it."""

    success: bool
    points: int


class MetricPusher:
    """The pushing of one process: an OTLP endpoint, the console, both or none."""

    def __init__(self, settings: Settings, store: GroupStore, errors: ErrorReporter) -> None:
        self._settings = settings
        self._store = store
        self._errors = errors
        self._otlp = "otlp" in settings.metrics_exporter and settings.endpoint is not None
        self._console = "console" in settings.metrics_exporter
        self.wanted = self._otlp or self._console
        self._targets: list[Exporter] | None = None
        self._begin()

    def after_fork_in_child(self) -> None:
        """The parent's connections are not ours to use, nor to close: the last reference would do so."""
        self._inherited = self._targets
        self._begin()

    def _begin(self) -> None:
        self._targets = None
        self._failures = 0
        self._baseline: Snapshot | None = None
        self._loaded = False

    def load(self) -> None:
        """Import what a push needs, while the app is built: when it ends, gRPC can no longer be imported.

        No connection is made, so that forks are safe.
        """
        if self._otlp:
            importlib.import_module("dualmetrics.exporters.otlp.exporter")
            way = "grpc" if self._settings.protocol == "grpc" else "http"
            importlib.import_module(f"opentelemetry.exporter.otlp.proto.{way}.metric_exporter")
            if way == "http":
                importlib.import_module("dualmetrics.exporters.otlp.http_transport")

    def announce(self) -> None:
        """Say that push is off, if nobody of the group has."""
        if "otlp" not in self._settings.metrics_exporter or self._otlp or self._settings.sdk_disabled:
            return
        membership = self._store.membership()
        try:
            if membership is not None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with file_locks.closing(membership.directory.open("told-that-push-is-off", flags)):
                    pass
        except FileExistsError:
            return
        self._errors.log_once("push is off", _OFF)

    def resign(self) -> None:
        """Another worker pushes from now on: the baseline in memory is no longer the last one."""
        self._loaded = False

    def push(self, snapshot: Snapshot) -> PushResult:
        """Push a snapshot.

        A failure loses nothing: the next push carries the totals, or all that came since.
        """
        from dualmetrics.exporters.otlp.sdk_model import count_points
        from dualmetrics.exporters.otlp.temporality import deltas, subtract

        sent = subtract(snapshot, self._last_acknowledged(), deltas(self._settings.temporality))
        outcomes = [target.export(sent) for target in self._reached()]
        rejected = sum(outcome.rejected for outcome in outcomes)
        success = all(outcome.success for outcome in outcomes)
        self._log_state_change(
            success, rejected, "; ".join(outcome.message for outcome in outcomes if outcome.message)
        )
        if success:
            self._acknowledge(snapshot)
        return PushResult(success, max(0, count_points(sent) - rejected) if success else 0)

    def _reached(self) -> list[Exporter]:
        """The targets, built at the first push, in the process and thread that push."""
        if self._targets is None:
            self._targets = list(self._build())
        return self._targets

    def _build(self) -> Iterator[Exporter]:
        from dualmetrics.exporters.otlp.deadline import DeadlineExporter
        from dualmetrics.exporters.otlp.exporter import console_target, otlp_target
        from dualmetrics.exporters.otlp.temporality import deltas

        settings, is_delta = self._settings, deltas(self._settings.temporality)
        if self._console:
            yield console_target(is_delta)
        if self._otlp and settings.endpoint is not None:
            target = otlp_target(
                settings.endpoint,
                settings.endpoint_is_signal,
                settings.protocol,
                settings.headers,
                is_delta,
                timeout=settings.timeout,
                compression=settings.compression,
                insecure=settings.insecure,
            )
            yield DeadlineExporter(target, settings.timeout * PATIENCE, start_thread)

    def _last_acknowledged(self) -> Snapshot | None:
        """What deltas count from; the first push of a newly elected worker asks the group's directory."""
        if self._settings.temporality != "cumulative" and not self._loaded:
            membership = self._store.membership()
            if membership is not None:
                self._baseline = delta_baseline.load_baseline(membership.directory)
            self._loaded = True
        return self._baseline

    def _acknowledge(self, snapshot: Snapshot) -> None:
        if self._settings.temporality == "cumulative":
            return
        self._baseline = snapshot
        membership = self._store.membership()
        if membership is not None:
            try:
                delta_baseline.save_baseline(membership.directory, membership.identity.group_id, snapshot)
            except OSError as error:
                self._errors.error("keeping the baseline of delta temporality", error)

    def _log_state_change(self, success: bool, rejected: int, message: str) -> None:
        """Log changes of state: the first failure, the recovery, the first rejection."""
        if not success:
            self._failures += 1
            text = (
                "dualmetrics: pushing to %s failed (%s); it is tried again at each interval, nothing is lost"
            )
            self._errors.log_once("push", text, self._place, message or "no reason given")
            return
        if self._failures:
            logger.info(
                "dualmetrics: the push to %s works again, after %d failures", self._place, self._failures
            )
            self._failures = 0
            self._errors.reset("push")
        if rejected:
            text = "dualmetrics: %s rejected %d points (%s)"
            self._errors.log_once("rejected", text, self._place, rejected, message or "no reason given")

    @property
    def _place(self) -> str:
        """The endpoint, without the password or the key that a URL may carry."""
        url = urlsplit(self._settings.endpoint or "console:")
        return url._replace(netloc=url.netloc.rpartition("@")[2], query="").geturl()
