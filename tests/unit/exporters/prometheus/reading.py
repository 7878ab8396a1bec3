"""Reads pages with the official parsers."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from dualmetrics.exporters.prometheus import Page

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
FORMATS = ["text/plain", OPENMETRICS]

Sample = tuple[str, tuple[tuple[str, str], ...]]


def body(page: Page) -> str:
    return b"".join(page.pieces).decode()


def metrics(page: Page) -> list[Metric]:
    """The families of a page. Raises ValueError if the parser for its format refuses it."""
    read = read_openmetrics if "openmetrics" in page.content_type else read_text
    return list(read(body(page)))


def samples(page: Page) -> dict[Sample, str]:
    """The value of each sample, as text that is equal for equal numbers. Fails if a sample occurs twice."""
    values: dict[Sample, str] = {}
    for metric in metrics(page):
        for sample in metric.samples:
            key = named(sample.name, sample.labels, bucket=metric.type == "histogram")
            assert key not in values
            values[key] = number(sample.value)
    return values


def number(value: float) -> str:
    """A text that is equal for equal numbers: NaN equals NaN, and zero has no sign."""
    return repr(float(value) + 0.0)


def named(name: str, labels: dict[str, str], *, bucket: bool = False) -> Sample:
    """The identity of a sample. Bounds of buckets are normalized, because formats write them differently."""
    plain = {key: repr(float(text)) if bucket and key == "le" else text for key, text in labels.items()}
    return name, tuple(sorted(plain.items()))
