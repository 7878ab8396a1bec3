"""Names, labels and values as Prometheus writes them."""
