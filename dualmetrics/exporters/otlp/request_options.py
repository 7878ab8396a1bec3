"""What is configured for the requests of a push wins over what `requests` and the exporter find elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from requests import PreparedRequest
from requests.utils import get_auth_from_url

_OF_EXPORTER = ("content-type", "content-encoding", "user-agent")
"""The headers that the official exporter sets itself."""


def own_headers(headers: Mapping[str, str], configured: Mapping[str, str] | None) -> Mapping[str, str]:
    """The headers of a request without those that the settings have refused.

    The exporter reads the headers in its variables too, and would send them.
    """
    if configured is None:
        return headers
    of_exporter = {name: value for name, value in headers.items() if name.lower() in _OF_EXPORTER}
    return {**of_exporter, **configured}


def configured_auth(
    headers: Mapping[str, str], url: str
) -> Callable[[PreparedRequest], PreparedRequest] | tuple[str, str] | None:
    """The credentials in the headers, else those in the URL; None if neither has any.

    Without them, `requests` takes those in ~/.netrc, which would replace a configured ``Authorization``.
    """
    if any(name.lower() == "authorization" for name in headers):
        return _unchanged
    user, password = get_auth_from_url(url)
    return (user, password) if user or password else None


def _unchanged(request: PreparedRequest) -> PreparedRequest:
    """The authentication of a request that has its header already."""
    return request
