"""Strategies for snapshots: with name conflicts, values of every type, and text with any characters."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import strategies as st

from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Exemplar, Exemplars, Family, Point, Snapshot
from dualmetrics.storage import exemplar_slots

UNITS = ["", "1", "s", "ms", "By", "By/s", "1/s", "{request}", "{request}/s", "%", "m/s", "[in_i]", "°C"]
WORDS = ["a", "b", "total", "ratio", "bytes", "sum", "count", "bucket", "created", "info", "target", "9"]

EXEMPLARS = [
    None,
    Exemplar(0.0, 1, 0, 0),
    Exemplar(-1.5e-300, 1_700_000_000_123_456_789, 1, 1),
    Exemplar(1e300, 2**63, 2**128 - 1, 2**64 - 1),
]

names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(".".join)
keys = st.one_of(st.sampled_from(["a.b", "a_b", "le", "__a", "_a", "9", "é", "otel.scope.name"]), st.text())
texts = st.one_of(
    st.text(), st.sampled_from(["", '"', "\\", "\n", "\\n", "{}", "},", "a=b", "%s%d", "\ud800"])
)
numbers = st.floats(width=64)
finite = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**40).map(float)
scalars: st.SearchStrategy[AttributeValue] = st.one_of(texts, st.booleans(), st.integers(), numbers)
sequences: st.SearchStrategy[AttributeValue] = st.one_of(
    *(st.lists(kind, max_size=3).map(tuple) for kind in (texts, st.booleans(), st.integers(), numbers))
)
attributes: st.SearchStrategy[Attributes] = st.dictionaries(keys, scalars | sequences, max_size=3).map(
    lambda pairs: tuple(sorted(pairs.items()))
)
scopes = st.builds(
    InstrumentationScope,
    st.sampled_from(["dualmetrics", "shop", ""]),
    st.sampled_from(["", "1.0"]),
    st.just(""),
    attributes,
)
bounds = st.lists(finite, max_size=4, unique=True).map(lambda values: tuple(sorted(values)))


@st.composite
def descriptors(draw: st.DrawFn) -> Descriptor:
    kind = draw(st.sampled_from([kind for kind in Kind if kind is not Kind.SUMMARY]))
    return Descriptor(
        draw(scopes),
        draw(names),
        kind,
        draw(st.sampled_from(UNITS)),
        draw(texts),
        draw(bounds) if kind is Kind.HISTOGRAM else (),
    )


def cells(descriptor: Descriptor) -> st.SearchStrategy[tuple[float, ...]]:
    """The cells of a point of this metric."""
    return {
        Kind.COUNTER: st.tuples(numbers),
        Kind.UP_DOWN_COUNTER: st.tuples(numbers),
        Kind.GAUGE: st.tuples(numbers, st.sampled_from([0.0, 1.0, 2.0])),
        Kind.HISTOGRAM: st.tuples(*[counts] * (len(descriptor.bounds) + 1), numbers),
    }[descriptor.kind]


def exemplars(descriptor: Descriptor) -> st.SearchStrategy[Exemplars]:
    """No exemplars, or exemplars for some of the buckets."""
    some = st.tuples(*[st.sampled_from(EXEMPLARS)] * exemplar_slots.slot_count(descriptor))
    return st.just(()) | some if descriptor.kind in (Kind.COUNTER, Kind.HISTOGRAM) else st.just(())


def points(descriptor: Descriptor) -> st.SearchStrategy[Point]:
    """Points of this metric."""
    return st.builds(Point, attributes, st.just(1), cells(descriptor), exemplars(descriptor), st.none())


@st.composite
def families(draw: st.DrawFn) -> Family:
    descriptor = draw(descriptors())
    return Family(descriptor, tuple(draw(st.lists(points(descriptor), max_size=3))))


snapshots = st.builds(Snapshot, st.just(1), attributes, st.lists(families(), max_size=4).map(tuple))


@st.composite
def successors(draw: st.DrawFn, snapshot: Snapshot) -> Snapshot:
    """A possible later snapshot, with points that are the same object, changed, new, removed or reordered."""
    return dataclasses.replace(snapshot, families=tuple(draw(_later(family)) for family in snapshot.families))


@st.composite
def _later(draw: st.DrawFn, family: Family) -> Family:
    before = draw(st.permutations(family.points)) if draw(st.booleans()) else [*family.points]
    changed = [
        point._replace(**draw(_changes(family.descriptor))) if draw(st.booleans()) else point
        for point in before
        if draw(st.integers(0, 4))
    ]
    new = draw(st.lists(points(family.descriptor), max_size=1))
    return Family(family.descriptor, (*changed, *new))


def _changes(descriptor: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    both = {"cells": cells(descriptor), "exemplars": exemplars(descriptor)}
    return st.fixed_dictionaries({}, optional=both)
