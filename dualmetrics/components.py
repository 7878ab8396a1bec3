"""Builds the parts of one `Telemetry` from its settings. This module alone knows how all parts fit.

A part that has to hear of forks or of the end of the process registers for it by itself (see
`runtime.forking` and `runtime.exit_hooks`), in the order in which the parts are built here.
"""

from __future__ import annotations

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.policies import AggregationPolicies
from dualmetrics.background.lifecycle import Lifecycle
from dualmetrics.background.push import MetricPusher
from dualmetrics.background.push_schedule import PushSchedule
from dualmetrics.background.resource import GroupResource
from dualmetrics.background.snapshots import SnapshotTaker
from dualmetrics.background.tasks import WorkerTasks
from dualmetrics.background.worker_thread import BackgroundWorker
from dualmetrics.bridges.protocols import GAUGE_MERGE_DEFAULTS
from dualmetrics.bridges.scheduler import BridgeScheduler
from dualmetrics.config.settings import Settings
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.name_conflicts import OwnNamesWin
from dualmetrics.http.server_metrics import server_metrics
from dualmetrics.instruments.callback_runner import CallbackRunner
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.instruments.host_metrics import observe_host
from dualmetrics.instruments.meter import MeterProvider
from dualmetrics.instruments.self_metrics import SelfMetrics
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import OWN_SCOPE
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.access_control import AccessControl
from dualmetrics.scrape.dedicated_port import DedicatedPort
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from dualmetrics.scrape.renderer import PageRenderer
from dualmetrics.workers.leader_election import LeaderElection
from dualmetrics.workers.membership import GroupAddress

_LEFT_OUT = (
    "dualmetrics: left out: %s. All other metrics are exported. Rename this one, or drop it if you do not "
    "need it"
)


class Components:
    """The parts of one `Telemetry`. Nothing is opened or started before something is recorded."""

    def __init__(self, settings: Settings, label: str) -> None:
        """``label`` names the Telemetry in the group. Raises SettingsError for an extra that is missing."""
        self.settings = settings
        self.enabled = bool(settings.metrics_exporter) and not settings.sdk_disabled
        self.errors = ErrorReporter()
        self._build_recording(label)
        self._build_exports()
        self._build_background()
        if self.enabled:
            self._prepare()
        # Last, since counting an error starts the background work, which has to wait for the first use.
        self.errors.on_error = self.self_metrics.failed

    def _build_recording(self, label: str) -> None:
        settings = self.settings
        merge_by_name = {**GAUGE_MERGE_DEFAULTS, **settings.gauge_merge.by_name}
        policies = AggregationPolicies(settings.gauge_merge.default, merge_by_name, settings.retain)
        self.address = GroupAddress(settings.directory, label)
        limit = settings.cardinality_limit
        self.store = GroupStore(self.address, policies, limit, self.errors, settings.exponential)
        self.callbacks = CallbackRunner(self.errors)
        self.exemplars = ExemplarFilter(self.store, self.errors, settings)
        self.server_metrics = server_metrics(self.store, settings, self.errors, self.exemplars)
        if self.server_metrics.active_by_route is not None:
            self.callbacks.add(self.server_metrics.active_by_route)
        buckets = settings.buckets.by_name
        self.meter_provider = MeterProvider(self.store, self.callbacks, self.errors, self.exemplars, buckets)
        self.self_metrics = SelfMetrics(self.meter_provider.get_meter(OWN_SCOPE.name))
        self.store.on_overflow = self.self_metrics.overflowed
        self.store.on_skipped = self.self_metrics.skipped

    def _build_exports(self) -> None:
        settings = self.settings
        self.bridges = BridgeScheduler(
            self.store, self.callbacks, self.errors, exemplars=settings.exemplar_filter != "always_off"
        )
        self.group_resource = GroupResource(settings)
        self.election = LeaderElection(self.store.membership, self.errors)
        self.snapshots = SnapshotTaker(
            store=self.store,
            callbacks=self.callbacks,
            election=self.election,
            refresh_bridges=self.bridges.refresh,
            resolve_conflicts=OwnNamesWin(
                settings.translation_strategy, settings.namespace, self._log_left_out
            ),
            resource=self._resource,
            last_export=self._last_export,
        )
        self.renderer = PageRenderer(
            self._prometheus_exporter(), self.snapshots.take, settings.native_histograms
        )
        self.endpoint = ScrapeEndpoint(
            self.renderer.render, self._access_control(), self.errors, self.self_metrics.scraped
        )
        self.pusher = MetricPusher(
            settings, self.store, self.errors, self.self_metrics.in_doubt, self.election
        )

    def _build_background(self) -> None:
        settings = self.settings
        tasks = WorkerTasks(
            store=self.store,
            snapshots=self.snapshots,
            election=self.election,
            schedule=PushSchedule(self.election, settings.export_interval / 1000),
            pusher=self.pusher,
            port=self._dedicated_port(),
            self_metrics=self.self_metrics,
            errors=self.errors,
            detect_tracer=self.exemplars.detect_tracer,
            stop_importing=self.bridges.stop_importing,
            shutdown_timeout=settings.shutdown_timeout,
        )
        self.worker = BackgroundWorker(tasks, self.errors, self.pusher.report_late)
        self.lifecycle = Lifecycle(
            self.address,
            self.store,
            self.worker,
            self.bridges,
            self.exemplars.detect_tracer,
            self.pusher.shutdown,
            self.errors,
            shutdown_timeout=settings.shutdown_timeout,
            enabled=self.enabled,
        )

        self.endpoint.before_page = self.lifecycle.page_asked

    def _prepare(self) -> None:
        """Import and detect now what an interpreter that exits cannot import or detect any more."""
        self.pusher.load()
        if self.pusher.wanted or self.settings.prometheus_port is not None:
            self.group_resource.detect()
        self.bridges.read_registries(self.settings.registries)
        if self.settings.host_metrics:
            # Our own scope, so that these metrics have no scope labels.
            observe_host(self.meter_provider.get_group_meter(OWN_SCOPE.name))

    def _prometheus_exporter(self) -> PrometheusExporter:
        settings = self.settings
        return PrometheusExporter(
            namespace=settings.namespace,
            const_labels=settings.page_labels,
            scope_labels=settings.scope_labels,
            translation_strategy=settings.translation_strategy,
            created=settings.created_series,
            on_conflict=self._log_left_out,
        )

    def _dedicated_port(self) -> DedicatedPort:
        settings = self.settings
        return DedicatedPort(
            settings.prometheus_host,
            settings.prometheus_port,
            settings.prometheus_path,
            self.endpoint,
            self.store.membership,
            self.errors,
        )

    def _access_control(self) -> AccessControl:
        settings = self.settings
        return AccessControl(
            token=settings.metrics_token,
            basic_auth=settings.metrics_basic_auth,
            allow=settings.metrics_allow,
            trusted_proxies=settings.trusted_proxies,
        )

    def _resource(self) -> Attributes:
        return self.group_resource.with_target_info(self.bridges.resource(), self.store.instance_id)

    def _last_export(self) -> float | None:
        return self.election.push_history().last_success if self.pusher.wanted else None

    def _log_left_out(self, message: str) -> None:
        self.errors.log_once(message, _LEFT_OUT, message)
