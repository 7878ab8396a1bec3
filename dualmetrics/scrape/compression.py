"""Compression of the page with gzip."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

from dualmetrics.exporters.prometheus.content_negotiation import parse_accept


def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header prefers gzip, or likes it as much as no coding (RFC 9110, 12.5.3)."""
    qualities = {coding.name: coding.quality for coding in parse_accept(header)}
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def gzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks as one gzip stream, at the fastest level: scrapes are frequent, and networks are fast."""
    compressor = zlib.compressobj(level=1, wbits=31)
    for chunk in chunks:
        compressed = compressor.compress(chunk)
        if compressed:
            yield compressed
    yield compressor.flush()
