"""What a test asks about the metrics of an app: values by name and labels, and changes of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from dualmetrics import Telemetry, default_telemetry
from dualmetrics.testing.known_names import KnownNames
from dualmetrics.testing.page_samples import page_samples
from dualmetrics.testing.reading import Reading, Value, line, question

_NO_TELEMETRY = (
    "no app has configured the default Telemetry yet: build the app first, or pass its own Telemetry to "
    "metrics.of()"
)
_SWITCHED_OFF = (
    "this Telemetry records nothing, because OTEL_SDK_DISABLED is true or OTEL_METRICS_EXPORTER is none: set "
    "neither in tests of metrics"
)


class Metrics:
    """Reads what a `Telemetry` has counted, over all its processes: the default one, unless another is given.

    A metric is named as on the page (``http_requests_total``) or as in a push (``http.requests``). The name
    of a histogram alone means its count; ``_sum``, ``_count`` and ``_bucket`` with ``le=`` mean its parts.
    Labels are named as on the page, or by the keys of attributes: ``**{"http.route": "/"}``.

    The values are numbers that a failed comparison in pytest explains.
    """

    def __init__(self, telemetry: Telemetry | None = None) -> None:
        self._telemetry = telemetry

    @property
    def telemetry(self) -> Telemetry:
        """The Telemetry that is read. Raises LookupError if there is none, or if it is switched off."""
        __tracebackhide__ = True
        telemetry = self._telemetry or default_telemetry.configured()
        if telemetry is None:
            raise LookupError(_NO_TELEMETRY)
        if not telemetry.enabled:
            raise LookupError(_SWITCHED_OFF)
        return telemetry

    def of(self, telemetry: Telemetry) -> Metrics:
        """The metrics of another Telemetry, such as that of a second app."""
        return Metrics(telemetry)

    def reset(self) -> None:
        """Forget what was counted so far."""
        self.telemetry.reset()

    def value(self, name: str, /, **labels: object) -> float:
        """The sum of all series of a metric that have these labels; 0 if none has them.

        None stands for a label that a series does not have. Raises LookupError if there is no such metric,
        and for several gauges or several bounds of a histogram, which cannot be added.
        """
        __tracebackhide__ = True
        reading = self.read()
        reading.check(name)
        lines = [line(sample) for sample in reading.series(name)]
        return Value(reading.total(name, labels), question(name, labels), lines)

    @contextlib.contextmanager
    def delta(self, name: str, /, **labels: object) -> Iterator[Delta]:
        """Measure by how much `value` changes in a block. Raises LookupError as `value` does, at its end."""
        delta = Delta(self, name, labels)
        yield delta
        delta.end()

    def read(self) -> Reading:
        """Read the page."""
        __tracebackhide__ = True
        telemetry = self.telemetry
        samples = [*page_samples(telemetry.render()[1].decode())]
        return Reading(samples, KnownNames(telemetry, samples))


class Delta:
    """By how much a value has changed: in a block of `Metrics.delta`, or so far while the block runs."""

    def __init__(self, metrics: Metrics, name: str, labels: Mapping[str, object]) -> None:
        self._metrics, self._name, self._labels = metrics, name, labels
        self._total_before = 0.0
        self._before: dict[str, float] = {}
        with contextlib.suppress(LookupError):  # the block may build the app, or create the metric
            reading = metrics.read()
            self._total_before = reading.total(name, labels)
            self._before = {sample.text: sample.value for sample in reading.series(name)}
        self._after: float | None = None

    def end(self) -> None:
        """Measure for the last time."""
        self._after = self._measured()

    @property
    def value(self) -> float:
        """The change."""
        return self._measured() if self._after is None else self._after

    def _measured(self) -> Value:
        reading = self._metrics.read()
        reading.check(self._name)
        change = reading.total(self._name, self._labels) - self._total_before
        lines = [line(each, self._before.get(each.text, 0.0)) for each in reading.series(self._name)]
        return Value(change, f"the change of {question(self._name, self._labels)}", lines)

    def __repr__(self) -> str:
        return f"<change of {question(self._name, self._labels)} by {self.value}: compare its .value>"
