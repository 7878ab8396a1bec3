"""Names, labels and values as they appear on the Prometheus page."""
