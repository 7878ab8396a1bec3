"""The OTLP push: sends snapshots to a Collector or to the console."""
