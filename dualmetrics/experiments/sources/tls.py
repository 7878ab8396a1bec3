"""The trusted certificates. They are loaded once, because loading takes longer than most requests."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def system_certificates() -> ssl.SSLContext:
    """Return a context that trusts the certificates of the system."""
    return ssl.create_default_context()
