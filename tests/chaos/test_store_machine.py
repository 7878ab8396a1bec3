"""In any order of starts, counts, deaths, folds and departures, the totals are those of a plain dict."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Kind
from tests.unit.stores import COUNTER, GAUGE, HISTOGRAM, UP_DOWN, membership_of, worker

Key = tuple[str, Attributes]
attributes = st.sampled_from([(), (("k", 1),), (("k", "1"),), (("k", 1.5), ("l", True))])
picks = st.integers(0, 99)
amounts = st.integers(1, 1000).map(float)


class Group(RuleBasedStateMachine):
    """Several workers in one directory, and the totals that they should show."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.alive: list[GroupStore] = []
        self.counted: Counter[Key] = Counter()
        self.observed: dict[Attributes, list[float]] = {}
        self.shares: dict[Key, dict[int, float]] = {}
        self.gauges: dict[Attributes, dict[int, tuple[float, float]]] = {}
        self.now = 0.0
        self.shown: dict[Key, float] = {}
        self.starts: dict[Key, int] = {}

    @initialize()
    def first(self) -> None:
        self.alive.append(worker(self.directory))

    @rule()
    def start(self) -> None:
        self.alive.append(worker(self.directory))

    @rule(pick=picks, attributes=attributes, amount=amounts)
    def count(self, pick: int, attributes: Attributes, amount: float) -> None:
        self._any(pick).row(COUNTER, attributes)[0] += amount
        self.counted["requests", attributes] += amount  # type: ignore[assignment]  # floats count too

    @rule(pick=picks, attributes=attributes, bucket=st.integers(0, 2), amount=amounts)
    def observe(self, pick: int, attributes: Attributes, bucket: int, amount: float) -> None:
        for row in (
            self._any(pick).row(HISTOGRAM, attributes),
            self.observed.setdefault(attributes, [0.0] * 4),
        ):
            row[bucket] += 1.0
            row[3] += amount

    @rule(pick=picks, attributes=attributes, by=st.sampled_from([-2.0, 1.0, 3.0]))
    def move(self, pick: int, attributes: Attributes, by: float) -> None:
        store = self._any(pick)
        store.row(UP_DOWN, attributes)[0] += by
        shares = self.shares.setdefault(("connections", attributes), {})
        shares[id(store)] = shares.get(id(store), 0.0) + by

    @rule(pick=picks, attributes=attributes, value=amounts)
    def measure(self, pick: int, attributes: Attributes, value: float) -> None:
        store, self.now = self._any(pick), self.now + 1
        row = store.row(GAUGE, attributes)
        row[0], row[1] = value, self.now
        self.gauges.setdefault(attributes, {})[id(store)] = self.now, value

    @precondition(lambda self: len(self.alive) > 1)
    @rule(pick=picks)
    def die(self, pick: int) -> None:
        store = self._any(pick)
        self._end(store)
        self.alive.remove(store)

    @rule(pick=picks)
    def leave_group(self, pick: int) -> None:
        """The worker goes on with another file; the group takes its first file for a dead worker's."""
        store = self._any(pick)
        lock = store.leave_group(1.0)
        others = [other for other in self.alive if other is not store]
        assert lock is not None or others
        self._forget(store)

    @rule(pick=picks)
    def fold(self, pick: int) -> None:
        self._any(pick).fold()

    @invariant()
    def any_worker_shows_what_was_counted(self) -> None:
        for store in self.alive[:1] + self.alive[-1:]:
            self._check(store)

    def _check(self, store: GroupStore) -> None:
        shown = {
            (family.descriptor.name, point.attributes): list(point.cells)
            for family in store.read().families
            for point in family.points
        }
        assert shown == self._expected()
        self._check_progress(store, shown)

    def _expected(self) -> dict[Key, list[float]]:
        latest = {key: max(values.values()) for key, values in self.gauges.items() if values}
        return {
            **{key: [value] for key, value in self.counted.items()},
            **{("duration", key): row for key, row in self.observed.items()},
            **{key: [sum(shares.values())] for key, shares in self.shares.items()},
            **{("temperature", key): [value, at] for key, (at, value) in latest.items()},
        }

    def _check_progress(self, store: GroupStore, shown: dict[Key, list[float]]) -> None:
        """No start time moves, and no counter goes down."""
        for family in store.read().families:
            for point in family.points:
                key = family.descriptor.name, point.attributes
                assert self.starts.setdefault(key, point.start_time_ns) == point.start_time_ns
                if family.descriptor.kind is Kind.COUNTER:
                    assert self.shown.get(key, 0.0) <= point.cells[0] == shown[key][0]
                    self.shown[key] = point.cells[0]

    def _any(self, pick: int) -> GroupStore:
        return self.alive[pick % len(self.alive)]

    def _forget(self, store: GroupStore) -> None:
        """Drop a worker's shares of the up-down counters, and its gauges."""
        for shares in self.shares.values():
            shares.pop(id(store), None)
        for values in self.gauges.values():
            values.pop(id(store), None)

    def _end(self, store: GroupStore) -> None:
        self._forget(store)
        membership_of(store).close()

    def teardown(self) -> None:
        for store in self.alive:
            self._end(store)
        shutil.rmtree(self.directory)


TestGroup = Group.TestCase
TestGroup.settings = settings(stateful_step_count=30, suppress_health_check=list(HealthCheck))
