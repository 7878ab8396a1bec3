"""Exemplar slots: an exemplar is read completely or not at all, even if its writer is killed."""

from __future__ import annotations

import itertools
import mmap
import os
import random
import signal
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from dualmetrics.model.snapshot import Exemplar, Exemplars
from dualmetrics.storage import exemplar_slots
from tests.unit.stores import COUNTER, GAUGE, HISTOGRAM, UP_DOWN
from tests.waiting import wait_until

SIZE = 48

exemplars: st.SearchStrategy[Exemplar] = st.builds(
    Exemplar,
    st.floats(allow_nan=False),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**64 - 1),
    st.just(()),
)
rows: st.SearchStrategy[Exemplars] = st.lists(st.none() | exemplars, min_size=3, max_size=3).map(tuple)


values = (
    st.text('ab\0"\n\u00e4\u4e00', max_size=8) | st.booleans() | st.integers(-5, 5) | st.tuples(st.just(1.5))
)
annotated: st.SearchStrategy[Exemplar] = st.builds(
    lambda exemplar, attributes: exemplar._replace(attributes=tuple(sorted(attributes.items()))),
    exemplars,
    st.dictionaries(st.text("xyz", min_size=1, max_size=2), values, max_size=3),
)


def test_only_counters_and_histograms_have_slots() -> None:
    counts = [exemplar_slots.slot_count(metric) for metric in (COUNTER, HISTOGRAM, UP_DOWN, GAUGE)]
    assert counts == [1, 3, 0, 0]


@settings(deadline=None)
@given(rows)
def test_exemplars_survive_encoding(row: Exemplars) -> None:
    decoded = exemplar_slots.decode_slots(exemplar_slots.encode_slots(row))
    assert decoded == (row if any(row) else ())


@settings(deadline=None)
@given(annotated, annotated)
def test_large_slots_hold_attributes_and_detect_damage(one: Exemplar, other: Exemplar) -> None:
    row = exemplar_slots.private_slots(HISTOGRAM, exemplar_slots.WITH_ATTRIBUTES)
    for bucket, exemplar in ((1, one), (1, other), (2, one)):
        exemplar_slots.write_slot(row, bucket, exemplar, exemplar_slots.WITH_ATTRIBUTES)
    assert repr(exemplar_slots.decode_slots(row, exemplar_slots.WITH_ATTRIBUTES)) == repr(
        (None, other, one)
    )  # True is not 1
    row[exemplar_slots.WITH_ATTRIBUTES + 100] ^= 1
    assert exemplar_slots.decode_slots(row, exemplar_slots.WITH_ATTRIBUTES) == (None, None, one)


def test_attributes_that_do_not_fit_are_dropped() -> None:
    given = (("a", "x" * 90), ("b", "x" * 300), ("c", "x" * 90), ("d", "x" * 90), ("e", 7))
    encoded = exemplar_slots.encode_slots((Exemplar(1.0, 2, 3, 4, given),), exemplar_slots.WITH_ATTRIBUTES)
    [decoded] = exemplar_slots.decode_slots(encoded, exemplar_slots.WITH_ATTRIBUTES)
    assert len(encoded) == exemplar_slots.WITH_ATTRIBUTES
    assert decoded == Exemplar(1.0, 2, 3, 4, (given[0], given[2], given[4]))


@settings(deadline=None)
@given(exemplars, exemplars)
def test_a_slot_holds_the_exemplar_written_last(one: Exemplar, other: Exemplar) -> None:
    row = exemplar_slots.private_slots(HISTOGRAM)
    for exemplar in (one, other):
        exemplar_slots.write_slot(row, 1, exemplar)
    assert exemplar_slots.decode_slots(row) == (None, other, None)


@settings(deadline=None)
@given(st.none() | exemplars, exemplars, st.lists(st.booleans(), min_size=SIZE, max_size=SIZE))
def test_a_mixture_of_two_exemplars_counts_as_empty(
    one: Exemplar | None, other: Exemplar, mask: list[bool]
) -> None:
    pairs = zip(
        exemplar_slots.encode_slots((one or Exemplar(0.0, 0, 0, 0),)),
        exemplar_slots.encode_slots((other,)),
        mask,
        strict=True,
    )
    mixed = bytes(new if takes else old for old, new, takes in pairs)
    assert exemplar_slots.decode_slots(mixed) in ((), (one or Exemplar(0.0, 0, 0, 0),), (other,))


@settings(deadline=None)
@given(st.lists(rows, max_size=4))
def test_the_latest_exemplar_of_each_bucket_is_kept_in_any_order(found: list[Exemplars]) -> None:
    latest = exemplar_slots.latest_exemplars(("series", row) for row in found).get("series", (None,) * 3)
    for bucket, exemplar in enumerate(latest or (None,) * 3):
        times = [candidate.time_ns for row in found if (candidate := row[bucket])]
        assert (exemplar.time_ns if exemplar else None) == max(times, default=None)


def exemplar_of(number: int) -> Exemplar:
    """An exemplar in which every field has the same number."""
    return Exemplar(float(number), number, number << 64 | number, number)


def read(descriptor: int) -> set[Exemplar]:
    return {
        exemplar for exemplar in exemplar_slots.decode_slots(os.pread(descriptor, 3 * SIZE, 0)) if exemplar
    }


def write_forever(descriptor: int) -> None:
    slots = memoryview(mmap.mmap(descriptor, 3 * SIZE))
    for number in itertools.count(1):
        exemplar_slots.write_slot(slots, number % 3, exemplar_of(number))


def test_readers_see_only_complete_exemplars_of_a_writer_that_is_killed(tmp_path: Path) -> None:
    file = os.open(tmp_path / "slots", os.O_RDWR | os.O_CREAT)
    os.ftruncate(file, 3 * SIZE)
    seen: set[Exemplar] = set()
    for _ in range(20):
        os.pwrite(file, bytes(3 * SIZE), 0)
        pid = os.fork()
        if pid == 0:
            write_forever(file)
        wait_until(lambda: read(file), 30, "the writer to begin")
        end = time.monotonic() + random.uniform(0.005, 0.05)
        while time.monotonic() < end:
            seen |= read(file)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        seen |= read(file)
    os.close(file)
    assert seen
    assert all(exemplar == exemplar_of(exemplar.time_ns) for exemplar in seen)
