"""Handing snapshots to the official exporter over HTTP, as the bodies of its requests."""

from __future__ import annotations

import gzip
import logging
import zlib
from collections.abc import Callable, Iterator, Mapping

from opentelemetry.sdk.metrics.export import MetricsData

from dualmetrics.exporters.otlp.encoder import OtlpEncoder
from dualmetrics.exporters.otlp.messages import objects
from dualmetrics.exporters.otlp.temporality import IsDelta
from dualmetrics.model.snapshot import Snapshot

_logger = logging.getLogger("dualmetrics")

_CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


class BodySwap:
    """The exporter gets nothing to encode: its requests go out with bodies that were packed here.

    One that makes no request of nothing gets objects instead.
    """

    def __init__(self, is_delta: IsDelta) -> None:
        self._packer = OtlpEncoder(is_delta)
        self._objects = objects(is_delta)
        self._packs = True
        self._body = b""
        self._taken = False

    def messages(self, snapshot: Snapshot) -> Iterator[MetricsData]:
        """See `messages.Messages`."""
        if self._packs:
            yield from self._nothing(snapshot)
        if not self._packs:
            yield from self._objects(snapshot)

    def _nothing(self, snapshot: Snapshot) -> Iterator[MetricsData]:
        for body in self._packer.messages(snapshot):
            self._body, self._taken = body, False
            yield MetricsData([])
            if not self._taken:
                self._packs = False
                _logger.warning(
                    "dualmetrics: the OTLP exporter sends nothing but what it has encoded: no summaries"
                )
                return

    def body(self, encoded: bytes, coding: str) -> bytes:
        """That of the request that is being made; ``coding`` is its Content-Encoding."""
        self._taken = True
        return _CODINGS.get(coding, bytes)(self._body) if self._packs else encoded
