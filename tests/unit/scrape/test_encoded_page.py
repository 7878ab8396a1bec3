"""The body of a page: sent in chunks of a limited size, and kept in memory once."""

from __future__ import annotations

import gzip
import random
import tracemalloc
import weakref
from itertools import islice

import pytest

from dualmetrics.exporters.prometheus import Page
from dualmetrics.scrape.encoded_page import CHUNK_BYTES, EncodedPage, encode
from dualmetrics.scrape.latest_pages import LatestPages
from tests.pages import TEXT

random_bytes = random.Random(14).randbytes

BODIES = {
    "empty": [],
    "empty pieces": [b"", b"", b""],
    "one byte": [b"a"],
    "short": [b"a 1\n", b"", b"b 2\n"],
    "one chunk": [random_bytes(CHUNK_BYTES)],
    "one byte more": [random_bytes(CHUNK_BYTES), b"a"],
    "many small pieces": [random_bytes(60)] * 100_000,
    "pieces of all sizes": [random_bytes(size * size) for size in range(400)],
    "one huge piece": [b"a", random_bytes(7_000_000), b"b"],
}


@pytest.mark.parametrize("pieces", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_body_is_sent_whole_in_chunks_of_a_limited_size(pieces: list[bytes], packed: bool) -> None:
    page = EncodedPage(TEXT, pieces)
    if packed:
        page.pack()
    chunks = [*page.chunks()]
    whole = b"".join(pieces)
    assert b"".join(chunks) == whole
    assert page.size == len(whole)
    assert dict(page.headers)["Content-Length"] == str(len(whole))
    assert all(0 < len(chunk) <= 2 * CHUNK_BYTES for chunk in chunks)
    assert len(chunks) <= 1 + 2 * len(whole) // CHUNK_BYTES


def test_a_body_that_is_packed_while_it_is_read_is_read_to_its_end() -> None:
    page = EncodedPage(TEXT, BODIES["pieces of all sizes"])
    chunks = page.chunks()
    begin = [*islice(chunks, 10)]
    page.pack()
    assert b"".join([*begin, *chunks]) == b"".join(BODIES["pieces of all sizes"])


def test_pages_that_are_read_while_many_newer_ones_are_rendered_take_little_memory() -> None:
    size, latest, readers = 1_000_000, LatestPages(), []
    tracemalloc.start()
    try:
        for number in range(100):
            series = b'requests_total{n="%d"} 1\n' % number * 80
            page = EncodedPage(TEXT, [series + b"%d\n" % piece for piece in range(size // len(series))])
            latest.add(page)
            readers.append(page.chunks())
            next(readers[-1])
        assert tracemalloc.get_traced_memory()[0] < 20 * size
    finally:
        tracemalloc.stop()
    assert all(b'{n="%d"} 1\n' % number in next(chunks) for number, chunks in enumerate(readers))


def test_a_page_without_readers_is_freed_and_not_packed() -> None:
    latest = LatestPages()
    page = EncodedPage(TEXT, [b"a 1\n"])
    latest.add(page)
    freed = weakref.ref(page)
    del page
    assert freed() is None
    for _ in range(10):
        latest.add(EncodedPage(TEXT, []))


def test_only_the_encodings_that_are_asked_for_are_made() -> None:
    page = Page(TEXT, [b"a 1\n" * 10_000])
    assert encode(page, {False}).keys() == {False}
    assert encode(page, {True}).keys() == {True}
    both = encode(page, {True, False})
    assert b"".join(both[False].chunks()) == gzip.decompress(b"".join(both[True].chunks()))
