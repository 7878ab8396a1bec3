"""The public object: one recording and its two exports."""

from __future__ import annotations

import itertools
import re
from typing import Any, Literal
from weakref import WeakSet

from opentelemetry import metrics
from opentelemetry.metrics import CallbackT

from dualmetrics.bridges.protocols import MetricSource
from dualmetrics.components import Components
from dualmetrics.config.loading import load_settings
from dualmetrics.config.settings import SettingsError
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.snapshot import Snapshot

_LABEL = re.compile(r"[A-Za-z0-9-]{1,64}")
_ordinals = itertools.count(1)
_all: WeakSet[Telemetry] = WeakSet()


def all_telemetries() -> list[Telemetry]:
    """Return every `Telemetry` of this process that is still in use."""
    return [*_all]


class Telemetry:
    """One recording with its two exports. It shares nothing with another one in the same process.

    The settings are keyword arguments (see README); what is not given comes from the environment. Raises
    SettingsError for a bad value. ``label`` (letters, digits and ``-``) tells which objects in the workers of
    a group belong together; without it, the n-th Telemetry of each worker does.
    """

    def __init__(self, *, label: str | None = None, **settings: Any) -> None:
        if label is not None and not _LABEL.fullmatch(label):
            raise SettingsError(f"label={label!r}: allowed are 1 to 64 letters, digits and -")
        loaded = load_settings(**settings)
        self._components = parts = Components(loaded, label or f"telemetry-{next(_ordinals)}")
        self.settings = parts.settings
        self.enabled = parts.enabled
        self.errors = parts.errors
        self.server_metrics = parts.server_metrics
        self.page = parts.endpoint
        _all.add(self)

    @property
    def meter_provider(self) -> metrics.MeterProvider:
        """OpenTelemetry's MeterProvider for this recording; a no-op if nothing is exported."""
        return self._components.meter_provider if self.enabled else metrics.NoOpMeterProvider()

    def meter(self, name: str, version: str | None = None) -> metrics.Meter:
        """A meter for the app's own instruments. ``name`` is that of the instrumentation scope."""
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
        """Observe a value that is the same for all workers, such as the length of a queue.

        ``callback`` is a callback of OpenTelemetry's observable instruments. It runs in the leader alone, and
        its values are overwritten, never added over workers. Raises ValueError for a bad name or unit.
        """
        if self.enabled:
            group_meter = self._components.meter_provider.get_group_meter(meter)
            create = {
                "gauge": group_meter.create_observable_gauge,
                "counter": group_meter.create_observable_counter,
                "up_down_counter": group_meter.create_observable_up_down_counter,
            }
            create[kind](name, [callback], unit, description)

    def bridge(self, source: MetricSource) -> None:
        """Export the metrics of another library too; see `dualmetrics.bridges.sdk.MetricReader`."""
        if self.enabled:
            self._components.bridges.attach(source)
            if self._components.worker.running:
                self._components.bridges.start()

    def snapshot(self) -> Snapshot:
        """The totals of the whole group, as both exports see them. Raises OSError if they cannot be read."""
        return self._components.snapshots.take()

    def render(self, accept: str | None = None) -> tuple[str, bytes]:
        """The page in the format that an Accept header asks for: its content type and its bytes.

        Raises OSError if the totals cannot be read.
        """
        page = self._components.renderer.render(negotiate(accept))
        return page.content_type, b"".join(page.pieces)

    def start(self) -> None:
        """Make this process a worker of the group, and start the background work.

        Recording and scrapes do so too, so this is seldom needed.
        """
        self._components.lifecycle.join()

    def app_built(self) -> None:
        """Tell that an app was built here whose server says nothing of its start, as on WSGI.

        For a middleware. In a worker the background work starts, so that an idle worker is seen, too.
        """
        self._components.lifecycle.app_built()

    def force_flush(self, timeout: float = 10.0) -> bool:
        """Push now if this worker is the leader of the group.

        Return False if that failed or took longer than ``timeout`` seconds.
        """
        self._components.lifecycle.start()
        return not self.enabled or self._components.worker.flush(timeout)

    def shutdown(self, timeout: float | None = None) -> bool:
        """Leave the group; the last worker of the group pushes what is left.

        Takes at most ``timeout`` seconds (default: DUALMETRICS_SHUTDOWN_TIMEOUT). Return False if that was
        not enough or the push failed. Recording may go on afterwards, and starts everything again.
        """
        return self._components.lifecycle.shutdown(timeout)

    def reset(self) -> None:
        """Forget everything that was counted, by all workers of the group. For tests.

        Instruments and apps go on, from zero. The background work stops until the next recording or scrape.
        To a Collector it looks like a restart. Metrics that a bridged library holds itself keep their values
        there; only what is added from now on counts. docs/testing.md shows a fixture that does more.
        """
        self._components.lifecycle.pause()
        self._components.bridges.import_sums()  # what was not read yet is to be forgotten, too
        self._components.store.reset()
