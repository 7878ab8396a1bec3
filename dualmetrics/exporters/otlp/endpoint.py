"""The address of a Collector, and how to send to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TlsFiles(NamedTuple):
    """The paths of PEM files: the authorities to trust, and the client's own key and certificate."""

    certificate: str | None = None
    client_key: str | None = None
    client_certificate: str | None = None


class Endpoint(NamedTuple):
    """A URL with the options of the official exporters, which take what is None from their own variables.

    HTTP appends ``/v1/metrics`` to ``url`` unless ``is_signal``. ``timeout`` is in seconds and limits each
    message with all its retries. ``compression`` is none, gzip or, over HTTP only, deflate.
    """

    url: str
    is_signal: bool = False
    headers: Mapping[str, str] | None = None
    timeout: float | None = None
    compression: str | None = None
    insecure: bool | None = None
    tls: TlsFiles | None = None

    @property
    def lower_case_headers(self) -> dict[str, str] | None:
        """The headers with names in lower case, as gRPC requires; HTTP ignores the case."""
        headers = self.headers
        return None if headers is None else {name.lower(): value for name, value in headers.items()}
