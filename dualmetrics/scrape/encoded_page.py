"""A rendered page as it is sent, prepared once for all scrapes that share it."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, pairwise

from dualmetrics.exporters.prometheus import Page
from dualmetrics.scrape.compression import gzip_chunks

CHUNK_BYTES = 64 * 1024
"""How much is sent at once: an event loop copies it in less than a millisecond."""

_MIN_COMPRESSED_BYTES = 1024


class EncodedPage:
    """The headers and the body of a page. All who read it share the memory of the body."""

    def __init__(self, content_type: str, pieces: Sequence[bytes], *encoding: tuple[str, str]) -> None:
        """``encoding`` is the header that names it, if there is one."""
        ends = [0, *accumulate(map(len, pieces))]
        self.size = ends[-1]
        self.headers = [
            ("Content-Type", content_type),
            ("Vary", "Accept, Accept-Encoding"),
            *encoding,
            ("Content-Length", str(self.size)),
        ]
        starts = dict.fromkeys(bisect_left(ends, byte) for byte in range(0, self.size, CHUNK_BYTES))
        self._parts = [*pairwise([*starts, len(pieces)])]
        self._read: Callable[[int], bytes] = partial(_join, pieces, self._parts)

    def chunks(self) -> Iterator[bytes]:
        """The body in chunks of about `CHUNK_BYTES`, each made when it is needed."""
        for number in range(len(self._parts)):
            part = self._read(number)
            step = CHUNK_BYTES if len(part) > 2 * CHUNK_BYTES else max(len(part), 1)
            for offset in range(0, len(part), step):
                yield part[offset : offset + step]

    def pack(self) -> None:
        """Keep the body compressed from now on, chunk by chunk. It is still sent as it was."""
        packed = [zlib.compress(self._read(number), 1) for number in range(len(self._parts))]
        self._read = partial(_unpack, packed)


def encode(page: Page, compressed: Collection[bool]) -> Mapping[bool, EncodedPage]:
    """The page compressed (True), as it is (False) or both, as asked for. A short one is never compressed."""
    plain = EncodedPage(page.content_type, page.pieces)
    if plain.size < _MIN_COMPRESSED_BYTES:
        return dict.fromkeys(compressed, plain)
    return {wish: _compress(page.content_type, plain) if wish else plain for wish in compressed}


def _compress(content_type: str, plain: EncodedPage) -> EncodedPage:
    return EncodedPage(content_type, [*gzip_chunks(plain.chunks())], ("Content-Encoding", "gzip"))


def _join(pieces: Sequence[bytes], parts: Sequence[tuple[int, int]], number: int) -> bytes:
    start, stop = parts[number]
    return b"".join(pieces[start:stop])


def _unpack(packed: Sequence[bytes], number: int) -> bytes:
    return zlib.decompress(packed[number])
