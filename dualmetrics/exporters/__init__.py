"""The two exports of a snapshot: the Prometheus page, and the OTLP push."""
