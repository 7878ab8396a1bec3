"""Pushes snapshots to the OTLP endpoint or the console, as the settings say."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.background.delta_baseline import DeltaBaseline
from dualmetrics.background.push_log import OwnRecord, PushLog, PushRecord
from dualmetrics.config.options import SettingsError
from dualmetrics.config.settings import Settings
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime import file_locks, forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.runtime.redaction import redact_url
from dualmetrics.runtime.threads import start_thread
from dualmetrics.workers.file_names import PUSH_OFF_LOGGED

if TYPE_CHECKING:
    from dualmetrics.exporters.otlp.deadline import Exporter

_PUSH_IS_OFF = (
    "dualmetrics: nothing is pushed, because there is no OTLP endpoint. To push, set "
    "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318. If the page is all you want, set "
    "OTEL_METRICS_EXPORTER=prometheus"
)

_NO_GRPC = (
    "a push over gRPC needs grpcio: pip install opentelemetry-exporter-otlp-proto-grpc. To push over HTTP, "
    "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf and use the port for HTTP, mostly 4318"
)

_DEADLINE_TIMEOUTS = 3
"""A push is given up after so many timeouts: a big one has several messages, each with its own timeout."""


class PushResult(NamedTuple):
    """Whether a push was accepted, and how many of its points."""

    success: bool
    points: int


class MetricPusher:
    """Pushes the snapshots of one process to an OTLP endpoint, the console, both or neither.

    ``wanted`` says whether there is anything to push to. ``on_doubt``: see `DeltaBaseline`. ``record`` is of
    the whole group.
    """

    def __init__(
        self,
        settings: Settings,
        store: GroupStore,
        errors: ErrorReporter,
        on_doubt: Callable[[], None] = lambda: None,
        record: PushRecord | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._errors = errors
        self._otlp = "otlp" in settings.metrics_exporter and settings.endpoint is not None
        self._console = "console" in settings.metrics_exporter
        self.wanted = self._otlp or self._console
        self._record = record or OwnRecord()
        self._baseline: DeltaBaseline | None = None
        if settings.temporality != "cumulative":
            resends = settings.delta_in_doubt == "resend"
            self._baseline = DeltaBaseline(store, errors, resends, on_doubt)
        self._exporters: list[Exporter] | None = None
        self._reset()
        forking.register(self)

    def after_fork_in_child(self) -> None:
        """Build new exporters. Those of the parent are kept alive: the last reference would close them."""
        self._inherited = self._exporters
        self._reset()

    def _reset(self) -> None:
        self._exporters = None
        self._log = PushLog(redact_url(self._settings.endpoint or "console:"), self._errors)
        if self._baseline is not None:
            self._baseline.forget()

    def load(self) -> None:
        """Import what a push needs while the app is built: gRPC cannot be imported when it exits.

        No connection is made, so the process may fork afterwards. Raises SettingsError without gRPC.
        """
        if self._otlp:
            protocol = "grpc" if self._settings.protocol == "grpc" else "http"
            importlib.import_module("dualmetrics.exporters.otlp.exporter")
            try:
                importlib.import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.metric_exporter")
            except ModuleNotFoundError as error:
                if protocol != "grpc":
                    raise
                raise SettingsError(_NO_GRPC) from error
            transport = importlib.import_module(f"dualmetrics.exporters.otlp.{protocol}_transport")
            if protocol == "grpc":
                transport.remove_unusable_timeout()

    def announce(self) -> None:
        """Log that push is off, once in the group."""
        if "otlp" not in self._settings.metrics_exporter or self._otlp or self._settings.sdk_disabled:
            return
        membership = self._store.membership()
        try:
            if membership is not None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                with file_locks.closing(membership.directory.open(PUSH_OFF_LOGGED, flags)):
                    pass
        except FileExistsError:
            return
        self._errors.log_once("push is off", _PUSH_IS_OFF)

    def keep_baseline(self) -> None:
        """Write the baseline of delta temporality again if somebody has deleted it."""
        if self._baseline is not None:
            self._baseline.keep()

    def resign(self) -> None:
        """Another worker pushes from now on, so the baseline in memory may become an old one."""
        if self._baseline is not None:
            self._baseline.expire()

    def shutdown(self) -> None:
        """Close the connections. The next push makes new ones."""
        exporters, self._exporters = self._exporters, None
        for exporter in exporters or ():
            exporter.shutdown()

    def report_late(self, seconds: float) -> None:
        """Log that the process ends before its last push, for which it has waited so long."""
        if self.wanted:
            self._log.late(seconds)

    def push(self, snapshot: Snapshot, is_last: bool = False) -> PushResult:
        """Push a snapshot. ``is_last``: the group ends with it.

        A failure loses nothing: the next push carries the totals, or everything since the last baseline.
        """
        from dualmetrics.exporters.otlp.sdk_model import count_points
        from dualmetrics.exporters.otlp.temporality import delta_predicate, subtract

        baseline = self._baseline.load() if self._baseline is not None else None
        sent = subtract(snapshot, baseline, delta_predicate(self._settings.temporality))
        if self._baseline is not None:
            self._baseline.prepare(snapshot)
        results = [exporter.export(sent) for exporter in self._built_exporters()]
        success = all(result.success for result in results)
        rejected = sum(result.rejected for result in results)
        message = "; ".join(result.message for result in results if result.message)
        self._report(success, rejected, message, is_last)
        if self._baseline is not None:
            self._baseline.commit(snapshot) if success else self._baseline.discard()
        return PushResult(success, max(0, count_points(sent) - rejected) if success else 0)

    def _report(self, success: bool, rejected: int, message: str, is_last: bool) -> None:
        failures = self._record.push_history().failures
        if success:
            self._log.succeeded(rejected, message, failures)
        else:
            self._log.failed(message, failures, is_last)
        self._record.record_result(success, time.time())

    def _built_exporters(self) -> list[Exporter]:
        """The exporters, built at the first push, in the process and thread that pushes."""
        if self._exporters is None:
            self._exporters = list(self._build_exporters())
        return self._exporters

    def _build_exporters(self) -> Iterator[Exporter]:
        from dualmetrics.exporters.otlp.deadline import DeadlineExporter
        from dualmetrics.exporters.otlp.endpoint import TlsFiles
        from dualmetrics.exporters.otlp.exporter import console_target, otlp_target
        from dualmetrics.exporters.otlp.temporality import delta_predicate

        settings, is_delta = self._settings, delta_predicate(self._settings.temporality)
        if self._console:
            yield console_target(is_delta)
        if self._otlp and settings.endpoint is not None:
            exporter = otlp_target(
                settings.endpoint,
                settings.endpoint_is_signal,
                settings.protocol,
                settings.headers or {},
                is_delta,
                timeout=settings.timeout,
                compression=settings.compression,
                insecure=settings.insecure,
                tls=TlsFiles(settings.certificate, settings.client_key, settings.client_certificate),
            )
            yield DeadlineExporter(exporter, settings.timeout * _DEADLINE_TIMEOUTS, start_thread)
