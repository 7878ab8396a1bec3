"""The Prometheus page: names, labels, formats and their negotiation."""

from dualmetrics.exporters.prometheus.exporter import Page, PrometheusExporter

__all__ = ["Page", "PrometheusExporter"]
