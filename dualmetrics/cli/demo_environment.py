"""The environment of the demo's servers, and whether the Collector that the user named is there."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

EXPORT_INTERVAL = "500"
"""Milliseconds between pushes. Short, because the user waits for the last one."""
CONNECT_SECONDS = 5
LOOPBACK = "127.0.0.1"

_SETTINGS = ("OTEL_", "DUALMETRICS_", "PROMETHEUS_", "GUNICORN_", "UVICORN_", "WEB_CONCURRENCY")
"""Variables of the shell that begin so would change what the demo shows."""
_PUSH_SETTINGS = "OTEL_EXPORTER_OTLP_"
"""Those that begin so are kept for the user's own Collector, which may need headers or certificates."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def server_environment(service: str, endpoint: str, *, is_ours: bool) -> dict[str, str]:
    """Return the variables of a server that pushes to our own receiver, or to the user's Collector."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_SETTINGS)
        or (name.startswith(_PUSH_SETTINGS) and not name.endswith("ENDPOINT") and not is_ours)
    }
    return {
        **kept,
        **({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"} if is_ours else {}),
        **without_proxy(os.environ),
        "OTEL_SERVICE_NAME": service,
        "OTEL_METRICS_EXPORTER": "prometheus,otlp",
        "OTEL_METRIC_EXPORT_INTERVAL": EXPORT_INTERVAL,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "DUALMETRICS_HOST_METRICS": "true",
    }


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that keep a proxy of the shell away from the loopback interface."""
    hosts = environ.get("no_proxy") or environ.get("NO_PROXY")
    return {"no_proxy": f"{hosts},{LOOPBACK}" if hosts else LOOPBACK}


def check_endpoint(endpoint: str) -> None:
    """Raise OSError if nothing listens at the address. Behind a proxy this cannot be known."""
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if url.scheme in getproxies() and not proxy_bypass(host):
        return
    socket.create_connection((host, url.port or _DEFAULT_PORTS[url.scheme]), CONNECT_SECONDS).close()
