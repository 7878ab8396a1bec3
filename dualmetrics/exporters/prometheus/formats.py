"""The formats of the page. A further one is a further `Format` in `FORMATS`."""

from __future__ import annotations

from typing import NamedTuple

from dualmetrics.exporters.prometheus.names import number, unit_words
from dualmetrics.snapshot import Descriptor, Kind

_TYPES = {
    Kind.COUNTER: "counter",
    Kind.UP_DOWN_COUNTER: "gauge",
    Kind.GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}


class Format(NamedTuple):
    """What tells one text format from the other."""

    media_type: str
    version: str
    openmetrics: bool

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; version={self.version}; charset=utf-8"

    @property
    def end(self) -> str:
        """The page's last line."""
        return "# EOF\n" if self.openmetrics else ""

    def head(self, name: str, descriptor: Descriptor) -> str:
        """The metadata lines of a metric. OpenMetrics names a counter without its ``_total``."""
        kind = _TYPES[descriptor.kind]
        if not self.openmetrics:
            help_text = descriptor.description.replace("\\", r"\\").replace("\n", r"\n")
            return _lines(f"# HELP {name} {help_text}" * bool(help_text), f"# TYPE {name} {kind}")
        family = name.removesuffix("_total") if descriptor.kind is Kind.COUNTER else name
        help_text = descriptor.description.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        unit = "_".join(unit_words(descriptor.unit))
        return _lines(
            f"# HELP {family} {help_text}" * bool(help_text),
            f"# TYPE {family} {kind}",
            f"# UNIT {family} {unit}" * bool(unit and family.endswith(f"_{unit}")),
        )

    def target_head(self) -> str:
        """The metadata lines of ``target_info``; OpenMetrics has a type for it."""
        if self.openmetrics:
            return "# HELP target Target metadata\n# TYPE target info\n"
        return "# HELP target_info Target metadata\n# TYPE target_info gauge\n"

    def bound(self, bound: float) -> str:
        """A bucket's boundary; OpenMetrics wants a decimal point in every one."""
        return repr(bound) if self.openmetrics else number(bound)


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines if line)


TEXT = Format("text/plain", "0.0.4", openmetrics=False)
OPENMETRICS = Format("application/openmetrics-text", "1.0.0", openmetrics=True)
FORMATS = (TEXT, OPENMETRICS)
