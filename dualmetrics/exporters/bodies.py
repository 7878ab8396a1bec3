"""Handing snapshots to the official exporter over HTTP, as the bodies of its requests."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping

from opentelemetry.sdk.metrics.export import MetricsData

from dualmetrics.exporters.packed import Packer
from dualmetrics.exporters.temporality import IsDelta
from dualmetrics.snapshot import Snapshot

_CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


class Bodies:
    """The exporter gets nothing to encode: its requests go out with bodies that were packed here."""

    def __init__(self, is_delta: IsDelta) -> None:
        self._packer = Packer(is_delta)
        self._body = b""
        self._taken = False

    def messages(self, snapshot: Snapshot) -> Iterator[MetricsData]:
        """See `messages.Messages`. Raises RuntimeError if the exporter has made no request of one."""
        for body in self._packer.messages(snapshot):
            self._body, self._taken = body, False
            yield MetricsData([])
            if not self._taken:
                raise RuntimeError("the exporter sends nothing")

    def body(self, coding: str) -> bytes:
        """That of the request that is being made; ``coding`` is its Content-Encoding."""
        self._taken = True
        return _CODINGS.get(coding, bytes)(self._body)
