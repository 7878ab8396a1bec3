"""A snapshot as an OTLP push."""
