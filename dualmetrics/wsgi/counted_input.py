"""The body of a WSGI request, whose bytes are counted as the app reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dualmetrics.http.request_details import RequestDetails


class CountedInput:
    """Stands before ``wsgi.input``, and has all its attributes."""

    def __init__(self, stream: Any, details: RequestDetails) -> None:
        self._stream = stream
        self._details = details

    def read(self, *size: Any) -> bytes:
        """Read some bytes, or all."""
        return self._counted(self._stream.read(*size))

    def readline(self, *size: Any) -> bytes:
        """Read a line, or a part of it."""
        return self._counted(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        """Read all lines."""
        lines: list[bytes] = self._stream.readlines(*hint)
        self._details.received += sum(map(len, lines))
        return lines

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        count: int = self._stream.readinto(buffer)
        self._details.received += count or 0
        return count

    def __iter__(self) -> Iterator[bytes]:
        return map(self._counted, self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_stream"), name)

    def _counted(self, data: bytes) -> bytes:
        self._details.received += len(data or b"")  # nothing, if the server does not wait for more
        return data
