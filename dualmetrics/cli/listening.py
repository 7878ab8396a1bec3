"""Addresses to listen on, and the reason why a port cannot be opened."""

from __future__ import annotations

import errno
import os
import socket
from typing import NamedTuple


class PortError(OSError):
    """A port cannot be opened. ``protocol`` is "gRPC" or "HTTP"."""

    def __init__(self, error: OSError, host: str, port: int, protocol: str) -> None:
        reason = error.strerror or str(error)
        super().__init__(error.errno, f"cannot listen on port {port} of {host} for {protocol}: {reason}")
        self.protocol = protocol

    def __str__(self) -> str:
        return str(self.strerror)

    @property
    def in_use(self) -> bool:
        """Whether the reason is that another program listens there."""
        return self.errno == errno.EADDRINUSE


class Address(NamedTuple):
    """An address of this machine, from the name or number that the user gave."""

    family: socket.AddressFamily
    host: str

    @classmethod
    def find(cls, host: str) -> Address:
        """Look the host up. Raises OSError if there is no such host."""
        try:
            family, *_, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        except (OSError, UnicodeError) as error:
            raise OSError(f"cannot listen on {host!r}, which is not a known host: {error}") from error
        return cls(family, str(address[0]))

    def with_port(self, port: int) -> str:
        """Return ``host:port``, with brackets around the colons of IPv6."""
        return f"[{self.host}]:{port}" if self.family is socket.AF_INET6 else f"{self.host}:{port}"

    def check_port(self, port: int) -> None:
        """Raise OSError if a server could not listen on the port. Connections that linger do not matter."""
        with socket.socket(self.family, socket.SOCK_STREAM) as probe:
            if os.name == "posix":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.host, port))
