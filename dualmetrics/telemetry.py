"""The wiring: settings, store, meter, HTTP metrics, exporters, and the life of it all in a process."""

from __future__ import annotations

import atexit
import itertools
import re
import weakref
from collections.abc import Collection
from typing import Any, Literal

from opentelemetry import metrics
from opentelemetry.metrics import CallbackT

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.background.push import MetricPusher
from dualmetrics.background.resource import GroupResource
from dualmetrics.background.tasks import WorkerTasks
from dualmetrics.background.worker_thread import BackgroundWorker
from dualmetrics.bridges.protocols import GAUGE_MERGE_DEFAULTS, MetricSource
from dualmetrics.bridges.scheduler import BridgeScheduler
from dualmetrics.components import exporter_of, page_of
from dualmetrics.config.settings import Settings, SettingsError
from dualmetrics.exporters.prometheus import Page
from dualmetrics.exporters.prometheus.name_conflicts import OwnNamesWin
from dualmetrics.http.server_metrics import ServerMetrics
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.host_metrics import observe_host
from dualmetrics.instruments.meter import MeterProvider
from dualmetrics.instruments.self_metrics import OWN_SCOPE, SelfMetrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.snapshot import Snapshot
from dualmetrics.runtime import exit_hooks, forking
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.dedicated_port import DedicatedPort
from dualmetrics.workers.leader_election import LeaderElection
from dualmetrics.workers.membership import GroupAddress

_LABEL = re.compile(r"[A-Za-z0-9-]{1,64}")
_ordinals = itertools.count(1)
_alive: weakref.WeakSet[Telemetry] = weakref.WeakSet()


class Telemetry:
    """One recording with its two exports. Isolated: shares nothing with another one in the process.

    Takes the settings as keyword arguments (see README); what is not given comes from the environment. Raises
    SettingsError for a bad value. ``label`` (letters, digits, ``-``) says which objects of the group's
    workers are the same one; unless given, the n-th made in each worker is.
    """

    def __init__(self, *, label: str | None = None, **settings: Any) -> None:
        if label is not None and not _LABEL.fullmatch(label):
            raise SettingsError(f"label={label!r}: letters, digits and - are allowed")
        self._wire(Settings.load(**settings), label or f"telemetry-{next(_ordinals)}")

    def _wire(self, settings: Settings, label: str) -> None:
        self.settings = settings
        self.enabled = bool(settings.metrics_exporter) and not settings.sdk_disabled
        self.errors = ErrorReporter()
        rules = AggregationPolicies(
            settings.gauge_merge, {**GAUGE_MERGE_DEFAULTS, **settings.gauge_merge_by_name}, settings.retain
        )
        self._address = GroupAddress(settings.directory, label)
        limit, exponential = settings.cardinality_limit, settings.exponential
        self._store = GroupStore(self._address, rules, limit, self.errors, exponential)
        self._observers = CallbackRunner(self.errors)
        self._bridging = BridgeScheduler(
            self._store,
            self._observers,
            OwnNamesWin(settings.translation_strategy, settings.namespace, self._left_out),
            self.errors,
            exemplars=settings.exemplar_filter != "always_off",
        )
        self._group_resource = GroupResource(settings)
        self._exemplars = ExemplarFilter(self._store, self.errors, settings)
        self.server_metrics = ServerMetrics(self._store, settings, self.errors, self._exemplars)
        self._provider, self._group_provider = self._provide(once=False), self._provide(once=True)
        self._wire_exports(settings)
        self._connect()
        if self.enabled and settings.host_metrics:
            observe_host(self._group_provider)

    def _wire_exports(self, settings: Settings) -> None:
        self._health = SelfMetrics(self._provider.get_meter(OWN_SCOPE.name))
        self._exporter = exporter_of(settings, self._left_out)
        self.page = page_of(settings, self._render, self._health.scraped, self.errors)
        self._delivery = MetricPusher(settings, self._store, self.errors)
        self._election = LeaderElection(self._store.membership, self.errors)
        self._port = DedicatedPort(settings.prometheus_port, settings.prometheus_path, self.page, self.errors)
        self._duties = WorkerTasks(
            self._store,
            self._observers,
            self._election,
            self._delivery,
            self._port,
            self._health,
            self._bridging,
            self._resource,
            self._exemplars.detect_tracer,
            settings.shutdown_timeout,
        )
        self._pusher = BackgroundWorker(self._duties, settings.export_interval / 1000, self.errors)

    def _connect(self) -> None:
        """Let the parts tell each other; nothing is recorded, opened or started before somebody records."""
        if self.enabled:
            self._load()
            self._store.on_use = self._used
            self._bridging.read_registries(self.settings.registries)
        self._store.on_overflow = self._health.overflowed
        self._store.on_skipped = self._health.skipped
        self.errors.on_error = self._health.failed
        forking.register(self)
        _alive.add(self)

    def _load(self) -> None:
        """Do now what a push needs and an interpreter that ends does not do any more."""
        self._delivery.load()
        if self._delivery.wanted:
            self._group_resource.detect()

    def _left_out(self, message: str) -> None:
        self.errors.log_once(message, "dualmetrics: %s; it is left out", message)

    def _provide(self, once: bool) -> MeterProvider:
        buckets, exemplars = self.settings.instrument_buckets, self._exemplars
        return MeterProvider(self._store, self._observers, self.errors, exemplars, buckets, once)

    # What users call

    @property
    def meter_provider(self) -> metrics.MeterProvider:
        """OpenTelemetry's MeterProvider on this recording; a no-op where nothing is exported."""
        return self._provider if self.enabled else metrics.NoOpMeterProvider()

    def meter(self, name: str, version: str | None = None) -> metrics.Meter:
        """A meter for the app's own instruments; ``name`` is the instrumentation scope's."""
        return self.meter_provider.get_meter(name, version)

    def observe_once_per_group(
        self,
        name: str,
        callback: CallbackT,
        *,
        kind: Literal["gauge", "counter", "up_down_counter"] = "gauge",
        unit: str = "",
        description: str = "",
        meter: str = "app",
    ) -> None:
        """Observe what is the same for all workers: a queue's length, the host's memory.

        ``callback`` is one of OpenTelemetry's observable instruments. It runs in the elected worker alone,
        and what it gives is overwritten, never added over workers. Raises ValueError for a bad
        name or unit.
        """
        if self.enabled:
            made = self._group_provider.get_meter(meter)
            create = {
                "gauge": made.create_observable_gauge,
                "counter": made.create_observable_counter,
                "up_down_counter": made.create_observable_up_down_counter,
            }
            create[kind](name, [callback], unit, description)

    def bridge(self, source: MetricSource) -> None:
        """Join what ``source`` measures, such as a `dualmetrics.bridges.sdk.MetricReader`."""
        if self.enabled:
            self._bridging.attach(source)
            if self._pusher.running:
                self._bridging.start()

    def snapshot(self) -> Snapshot:
        """The totals of the whole group as both exports see them. Raises OSError if they cannot be read."""
        self.start()
        return self._duties.snapshot()

    def render(self, accept: str | None = None) -> tuple[str, bytes]:
        """The page in the format that an Accept header asks for: its content type and its bytes."""
        page = self._render(accept, ())
        return page.content_type, b"".join(page.pieces)

    def start(self) -> None:
        """Start the background thread, and find a tracer that was set late; recording does so by itself."""
        self._exemplars.detect_tracer()
        if self.enabled and not (self._pusher.running and self._bridging.running):
            exit_hooks.register_multiprocessing_exit(_at_exit)
            self._pusher.start()
            self._bridging.start()

    def force_flush(self, timeout: float = 10.0) -> bool:
        """Push now, if this worker is the group's elected one.

        False if that failed or took over ``timeout`` seconds.
        """
        self.start()
        return not self.enabled or self._pusher.flush(timeout)

    def shutdown(self, timeout: float | None = None) -> bool:
        """Give up this worker's place; the last one of the group pushes what is left.

        Takes no more than ``timeout`` seconds (DUALMETRICS_SHUTDOWN_TIMEOUT) and gives False if that did not
        suffice or the push failed. Recording may go on afterwards, and starts everything again.
        """
        if not self._pusher.running:
            return True
        self._bridging.pause()
        done = self._pusher.finish(self.settings.shutdown_timeout if timeout is None else timeout)
        self._store.invalidate_rows()  # rows given during the last push have started nothing
        return done

    def reset(self) -> None:
        """Forget everything that was counted. For tests: a Collector takes it for a restart."""
        self._bridging.pause()
        self._pusher.pause()
        self._store.reset()

    def _render(self, accept: str | None, names: Collection[str]) -> Page:
        self.start()
        native = self.settings.native_histograms and self._exporter.is_native(accept)
        return self._exporter.render(self._duties.snapshot(native), accept, names)

    def _used(self) -> None:
        if not self._bridging.importing_sums:
            self.start()

    def _resource(self) -> Attributes:
        return self._group_resource.beside(self._bridging.resource(), self._instance)

    def _instance(self) -> str:
        membership = self._store.membership()
        return membership.identity.instance_id if membership else self._address.instance_id

    def at_exit(self) -> None:
        """The process ends: shut down, and leave no directory behind if it was ours."""
        if self.enabled and not self._pusher.running:
            self._bridging.import_sums()
            if self._store.is_recording:  # by a thread that was never started, or paused by a fork
                self._pusher.finish_in_new_thread(self.settings.shutdown_timeout)
        self.shutdown()
        self._store.remove_own_group()

    def before_fork(self) -> None:
        """See `fork`."""
        self._pusher.pause()
        if self.enabled:
            self._bridging.before_fork()

    def after_fork_in_parent(self) -> None:
        """See `fork`."""
        self._bridging.after_fork_in_parent()
        self._store.invalidate_rows()

    def after_fork_in_child(self) -> None:
        """See `fork`. The store comes last: it tells those that record."""
        self.errors.after_fork_in_child()
        self._pusher.after_fork_in_child()
        self._election.after_fork_in_child()
        self._port.after_fork_in_child()
        self.page.after_fork_in_child()
        self._delivery.after_fork_in_child()
        self._observers.after_fork_in_child()
        self._bridging.after_fork_in_child()
        self._store.after_fork_in_child()


@atexit.register
def _at_exit() -> None:
    for telemetry in list(_alive):
        telemetry.at_exit()
