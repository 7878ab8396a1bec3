"""Who may read the page: by a token, a password or the network."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Literal

from dualmetrics.config.validators import UNIX, Network

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address | Literal["unix"]

_ADDRESS = re.compile(
    r"\[(?P<v6>[0-9a-fA-F:.]+)(%[^\]]*)?\](:\d{1,5})?|(?P<v4>[0-9.]+):\d{1,5}|(?P<bare>[0-9a-fA-F:.]+)(%.*)?"
)


class AccessControl:
    """Checks who may scrape. If both a token and a password are set, either is enough.

    ``allow`` limits the networks in addition. A forwarded address is believed only if it comes from one of
    ``trusted_proxies``. Secrets are compared in constant time.
    """

    def __init__(
        self,
        token: str | None = None,
        basic_auth: str | None = None,
        allow: Sequence[Network] = (),
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._accepted: list[bytes] = []
        self.challenges: list[str] = []
        if token is not None:
            self._accepted.append(f"bearer {token}".encode())
            self.challenges.append('Bearer realm="metrics"')
        if basic_auth is not None:
            self._accepted.append(b"basic " + base64.b64encode(basic_auth.encode()))
            self.challenges.append('Basic realm="metrics", charset="UTF-8"')
        self._allow = tuple(allow)
        self._proxies = tuple(trusted_proxies)

    def denied_status(self, headers: Mapping[str, str], client: str | None) -> int | None:
        """403 for a wrong address, 401 for a wrong secret, None if the scrape is allowed.

        The names of ``headers`` are in lower case.
        """
        if self._allow and not self._is_allowed(client, headers.get("x-forwarded-for", "")):
            return 403
        if self._accepted and not self._authorized(headers.get("authorization", "")):
            return 401
        return None

    def _authorized(self, header: str) -> bool:
        scheme, _, secret = header.strip().partition(" ")
        # Servers decode headers as Latin-1, so this restores the bytes that were sent.
        given = f"{scheme.lower()} {secret.strip()}".encode("latin-1", "backslashreplace")
        # Always compare all of them: to stop at the first match would reveal by time which one it was.
        matches = [hmac.compare_digest(given, accepted) for accepted in self._accepted]
        return any(matches)

    def _is_allowed(self, client: str | None, forwarded: str) -> bool:
        address = self._client_address(client, forwarded)
        return address is not None and _is_in(address, self._allow)

    def _client_address(self, client: str | None, forwarded: str) -> _Address | None:
        """The last address that does not belong to a trusted proxy; None if it cannot be parsed.

        A client without an address uses a Unix socket.
        """
        address = _address(client) if client else UNIX
        hops = [hop for hop in forwarded.split(",") if hop.strip()]
        while hops and address is not None and _is_in(address, self._proxies):
            address = _address(hops.pop())
        return address


def _is_in(address: _Address, networks: Sequence[Network]) -> bool:
    return any(
        address == network
        if isinstance(address, str) or isinstance(network, str)
        else address.version == network.version and address in network
        for network in networks
    )


def _address(text: str | None) -> _Address | None:
    """Parse an address as proxies write it: with a port, in brackets, IPv4 as IPv6; None if it is not one."""
    parts = _ADDRESS.fullmatch((text or "").strip())
    try:
        address = ipaddress.ip_address((parts["v6"] or parts["v4"] or parts["bare"]) if parts else "")
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
