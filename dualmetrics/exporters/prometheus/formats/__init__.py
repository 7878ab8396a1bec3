"""The dialects in which a page can be written."""

from __future__ import annotations

from dualmetrics.exporters.prometheus.formats.openmetrics import OpenMetrics
from dualmetrics.exporters.prometheus.formats.protobuf import Protobuf
from dualmetrics.exporters.prometheus.formats.text import Text
from dualmetrics.exporters.prometheus.series_writer import Dialect


def dialects(created: bool) -> dict[str, Dialect]:
    """The dialects by name. ``created`` adds ``_created`` samples to OpenMetrics."""
    return {"text": Text(), "openmetrics": OpenMetrics(created), "protobuf": Protobuf()}
