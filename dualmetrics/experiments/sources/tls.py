"""The certificates that are trusted, loaded once: that takes longer than most requests."""

from __future__ import annotations

import ssl
from functools import cache


@cache
def system_certificates() -> ssl.SSLContext:
    """The system's certificates."""
    return ssl.create_default_context()
