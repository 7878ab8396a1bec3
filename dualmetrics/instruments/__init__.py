"""OpenTelemetry's metrics API."""
