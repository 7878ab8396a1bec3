"""The Prometheus page: a snapshot as text that Prometheus and its kin scrape."""

from dualmetrics.exporters.prometheus.exporter import Page, PrometheusExporter

__all__ = ["Page", "PrometheusExporter"]
