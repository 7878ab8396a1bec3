"""Parsers of OTLP endpoints. `parsers` explains how a parser refuses a value."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from dualmetrics.config.parsers import regex

URL_WORDS = "an http:// or https:// URL with a host, a port from 1 to 65535 if any, and no query"

_GRPC_TARGET = re.compile(
    r"(?:dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):[^\s?#@]+"
    r"|(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}"
)
"""What gRPC understands beside a URL: the address of a server, mostly ``host:port``."""


def base_url(value: object) -> str:
    """Parse an OTLP endpoint: a URL, to whose path HTTP adds ``/v1/metrics``, or an address for gRPC."""
    return _endpoint(value, r"[^\s?#\ud800-\udfff]+", URL_WORDS)


def signal_url(value: object) -> str:
    """Parse an OTLP endpoint that is used without changes."""
    words = "an http:// or https:// URL with a host and a port from 1 to 65535 if any"
    return _endpoint(value, r"[^\s#\ud800-\udfff]+", words)


def _endpoint(value: object, pattern: str, words: str) -> str:
    text = regex(pattern, words)(value)
    if is_url(text) or _GRPC_TARGET.fullmatch(text):
        return text
    raise ValueError(words)


def is_url(endpoint: str) -> bool:
    """Whether an endpoint is a URL. One for HTTP must be; gRPC takes the address of a server, too."""
    try:
        url = urlsplit(endpoint)
        return bool(url.scheme in ("http", "https") and url.hostname and url.port != 0)
    except ValueError:  # a port that is not a number, or a bad IPv6 address
        return False


def protocol_of(endpoint: str | None) -> str:
    """Return the protocol of an endpoint by its port. OTLP uses 4317 for gRPC and 4318 for HTTP."""
    authority = (endpoint or "").partition("://")[2] or endpoint or ""
    return "grpc" if authority.partition("/")[0].endswith(":4317") else "http/protobuf"
