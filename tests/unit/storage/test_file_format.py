"""The file format: what was written is read back, and damage is noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.model.attributes import Attributes, attributes_key
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.storage import file_format
from dualmetrics.storage.file_format import HEADER, FormatError, Header

texts = st.text(st.characters(), max_size=20)
scalars = st.one_of(texts, st.booleans(), st.integers(), st.floats(allow_nan=False))
values = st.one_of(scalars, *(st.lists(kind, max_size=3).map(tuple) for kind in (texts, st.booleans())))
attribute_sets: st.SearchStrategy[Attributes] = st.dictionaries(texts, values, max_size=4).map(
    lambda pairs: tuple(sorted(pairs.items()))
)
scopes = st.builds(InstrumentationScope, texts, texts, texts, attribute_sets)
descriptors = st.builds(
    Descriptor,
    scopes,
    texts,
    st.sampled_from(Kind),
    texts,
    texts,
    st.lists(st.floats(allow_nan=False), max_size=5).map(tuple),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), attribute_sets, st.integers(0, 30)), max_size=5))
def test_records_survive_encoding(written: list[tuple[int, Attributes, int]]) -> None:
    data = b"".join(file_format.encode_record(kind, body, width) for kind, body, width in written)
    found = list(file_format.decode_records(data, 0, len(data)))
    assert [(record.kind, record.width) for record in found] == [(kind, width) for kind, _, width in written]
    for record, (_, attributes, _) in zip(found, written, strict=True):
        assert attributes_key(file_format.decode_attributes(record.body)) == attributes_key(attributes)
        assert record.cells_offset % 8 == 0


@given(st.integers(0, 1000), descriptors)
def test_descriptors_survive_encoding(number: int, descriptor: Descriptor) -> None:
    data = file_format.encode_record(
        file_format.DESCRIPTOR, file_format.descriptor_body(number, descriptor), 0
    )
    [record] = file_format.decode_records(data, 0, len(data))
    assert file_format.decode_descriptor(record.body) == (number, descriptor)


@given(attribute_sets, st.data())
def test_a_flipped_bit_in_a_record_is_noticed(attributes: Attributes, data: st.DataObject) -> None:
    record = bytearray(file_format.encode_record(file_format.SERIES, attributes, 0))
    position = data.draw(st.integers(0, len(record) * 8 - 1))
    record[position // 8] ^= 1 << position % 8
    with pytest.raises(FormatError, match="corrupt"):
        list(file_format.decode_records(bytes(record), 0, len(record)))


def header() -> bytes:
    return file_format.encode_header(Header(b"g" * 16, b"f" * 16, 1, HEADER.size))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (header()[:-1], "truncated"),
        (b"\0" * HEADER.size, "foreign"),
        (header()[:8] + b"\xff" + header()[9:], "version"),
    ],
)
def test_a_bad_header_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError) as caught:
        file_format.decode_header(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    "body", [[], [1, ["a"]], [1, ["a", "", "", []], "n", "no such kind", "", "", [], 0, 0]]
)
def test_an_invalid_descriptor_is_corrupt(body: list[object]) -> None:
    with pytest.raises(FormatError, match="corrupt"):
        file_format.decode_descriptor(body)
