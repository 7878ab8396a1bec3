"""Requests to the servers that have the metrics."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from functools import cache

import httpx

from dualmetrics.experiments.errors import UnreachableError
from dualmetrics.runtime.redaction import redact_url


def send_request(
    method: str,
    url: str,
    timeout: float,
    parameters: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send one request and return the whole response.

    Raises `UnreachableError` if there is none, or if the URL or the headers are not valid.
    """
    try:
        return httpx.request(
            method, url, params=parameters, headers=headers, timeout=timeout, verify=_system_certificates()
        )
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:  # ValueError of Unicode too
        lines = str(error).splitlines() or [type(error).__name__]
        reason = re.sub(r"^\[Errno -?\d+\] ", "", lines[0]).removesuffix(".")
        raise UnreachableError(f"{redact_url(url)} cannot be reached: {reason}.") from error


@cache
def _system_certificates() -> ssl.SSLContext:
    """Return a context that trusts the certificates of the system. Loading it takes longer than a request."""
    return ssl.create_default_context()
