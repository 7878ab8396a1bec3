"""The schedule of pushes is the group's, whoever leads."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dualmetrics.background.push_schedule import PushSchedule
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.workers.file_names import LEADER_LOCK
from dualmetrics.workers.leader_election import LeaderElection
from tests.unit.stores import membership_of, worker

INTERVAL = 60.0


class Clock:
    """The clock of the system, which the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        monkeypatch.setattr(time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def leader(directory: Path | None) -> tuple[LeaderElection, PushSchedule]:
    election = LeaderElection(worker(directory).membership, ErrorReporter())
    assert election.try_acquire()
    return election, PushSchedule(election, INTERVAL)


@pytest.mark.parametrize("in_group", [True, False])
def test_the_first_push_comes_an_interval_after_the_first_leader(
    tmp_path: Path, clock: Clock, in_group: bool
) -> None:
    _, schedule = leader(tmp_path if in_group else None)
    assert 0.9 * INTERVAL <= schedule.seconds_left() <= 1.1 * INTERVAL
    clock.now += 0.8 * INTERVAL
    assert schedule.seconds_left() > 0
    clock.now += 0.4 * INTERVAL
    assert schedule.seconds_left() <= 0
    assert not schedule.is_overdue
    schedule.pushed()
    assert schedule.seconds_left() >= 0.9 * INTERVAL


def test_a_new_leader_continues_the_schedule_of_the_one_before(tmp_path: Path, clock: Clock) -> None:
    election, schedule = leader(tmp_path)
    schedule.pushed()
    clock.now += 50
    election.release()
    _, next_schedule = leader(tmp_path)
    assert 0.9 * INTERVAL - 50 <= next_schedule.seconds_left() <= 1.1 * INTERVAL - 50


def test_leaders_that_live_for_seconds_push_once_an_interval(tmp_path: Path, clock: Clock) -> None:
    pushes = 0
    for _ in range(200):  # each of them lives for five seconds
        election, schedule = leader(tmp_path)
        if schedule.seconds_left() <= 0:
            schedule.pushed()
            pushes += 1
        clock.now += 5
        election.release()
    assert 200 * 5 / (1.1 * INTERVAL + 5) - 1 <= pushes <= 200 * 5 / (0.9 * INTERVAL)


def test_a_push_is_overdue_after_two_more_intervals(tmp_path: Path, clock: Clock) -> None:
    _, schedule = leader(tmp_path)
    schedule.pushed()
    clock.now += 2.8 * INTERVAL
    assert not schedule.is_overdue
    clock.now += 0.4 * INTERVAL
    assert schedule.is_overdue


def test_a_clock_that_is_set_back_does_not_stop_the_pushes(tmp_path: Path, clock: Clock) -> None:
    _, schedule = leader(tmp_path)
    schedule.pushed()
    clock.now -= 3600
    assert schedule.seconds_left() <= 0
    schedule.pushed()
    assert schedule.seconds_left() > 0


@pytest.mark.parametrize("garbage", [b"", b"abc", b"\0" * 8, b"\xff" * 8, b"x" * 100])
def test_a_damaged_time_delays_no_push_by_more_than_an_interval(
    tmp_path: Path, clock: Clock, garbage: bytes
) -> None:
    store = worker(tmp_path)
    (Path(membership_of(store).directory.path) / LEADER_LOCK).write_bytes(garbage)
    election = LeaderElection(store.membership, ErrorReporter())
    assert election.try_acquire()
    schedule = PushSchedule(election, INTERVAL)
    assert schedule.seconds_left() <= 1.1 * INTERVAL
    schedule.pushed()
    assert 0.9 * INTERVAL <= schedule.seconds_left() <= 1.1 * INTERVAL


def test_others_wait_until_the_push_of_the_leader_is_late(tmp_path: Path, clock: Clock) -> None:
    other = PushSchedule(LeaderElection(worker(tmp_path).membership, ErrorReporter()), INTERVAL)
    assert other.seconds_left() >= 0.9 * INTERVAL, "nobody has led yet"
    _, schedule = leader(tmp_path)
    schedule.pushed()
    for _ in range(20):  # the leader draws another interval each time
        clock.now += max(0.0, schedule.seconds_left())
        assert other.seconds_left() >= 0
        schedule.pushed()
    clock.now += 1.1 * INTERVAL
    assert other.seconds_left() == pytest.approx(0)
