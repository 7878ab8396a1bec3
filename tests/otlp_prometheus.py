"""Prometheus 3 with its own receiver for OTLP, which Debian's builds leave out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import backends, peers
from tests.ports import free_port

SETTINGS = {
    "global": {"scrape_native_histograms": True},
    "otlp": {"label_name_underscore_sanitization": False},
    "storage": {"exemplars": {"max_exemplars": 1000}},
}
"""Labels are named as the translator and the page name them (docs/parity.md)."""


class OtlpPrometheus(backends.OtlpDatabase):
    """A Prometheus that takes OTLP."""

    otlp_path = "/api/v1/otlp"
    reload_method = "POST"

    @staticmethod
    def configuration(targets: Sequence[backends.Target]) -> str:
        return backends.scrape_configuration(targets, **SETTINGS)


@contextlib.contextmanager
def prometheus_with_otlp(folder: Path, targets: Sequence[backends.Target] = ()) -> Iterator[OtlpPrometheus]:
    """Run it. Native histograms are scraped, and exemplars are stored."""
    configuration = folder / f"otlp-{free_port()}.yml"
    configuration.write_text(OtlpPrometheus.configuration(targets))
    command = [
        str(peers.prometheus_with_otlp()),
        "--web.enable-otlp-receiver",
        "--web.enable-lifecycle",
        "--enable-feature=exemplar-storage",
    ]
    with backends.run_prometheus(folder, command, configuration) as (port, log):
        yield OtlpPrometheus(port, log, configuration)
