"""The Prometheus page: a snapshot in one of the formats that Prometheus scrapes."""

from dualmetrics.exporters.prometheus.exporter import Page, PrometheusExporter

__all__ = ["Page", "PrometheusExporter"]
