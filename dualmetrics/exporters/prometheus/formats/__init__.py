"""The formats of the Prometheus page."""
