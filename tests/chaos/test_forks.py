"""Forks while another thread records, scrapes or pushes: nothing is lost or doubled, and nothing hangs."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from tests.forking import fork
from tests.servers.pushes import pushed_total
from tests.waiting import wait_until

pytestmark = pytest.mark.server

FORKS, COUNTS = 40, 20
TIMEOUT = 20.0
Work = Callable[[Telemetry, int], None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def telemetry(receiver: Receiver, tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", directory=str(tmp_path))
    yield telemetry
    assert telemetry.shutdown()


def count(telemetry: Telemetry, by: str, **more: str) -> None:
    telemetry.meter("app").create_counter("hits").add(1, {"by": by, **more})


def total(telemetry: Telemetry, by: str) -> float:
    """Return the group's total of what the parent or the children have counted."""
    families = telemetry.snapshot().families
    points = [point for family in families if family.descriptor.name == "hits" for point in family.points]
    return sum(point.cells[0] for point in points if dict(point.attributes)["by"] == by)


def record(telemetry: Telemetry, number: int) -> None:
    """Count in an existing series."""
    count(telemetry, "parent")


def add_series(telemetry: Telemetry, number: int) -> None:
    """Count in one of many series, most of which are new."""
    count(telemetry, "parent", number=str(number % 500))


def scrape(telemetry: Telemetry, number: int) -> None:
    count(telemetry, "parent")
    assert b"hits" in telemetry.render()[1]


def push(telemetry: Telemetry, number: int) -> None:
    count(telemetry, "parent")
    telemetry.force_flush(5)  # a fork may end the thread that would push


@contextlib.contextmanager
def in_another_thread(work: Work, telemetry: Telemetry) -> Iterator[list[int]]:
    """Repeat the work in another thread. Gives a list with the number of times."""
    times, ended = [0], threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while not ended.is_set():
                work(telemetry, times[0])
                times[0] += 1
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: times[0] or failures, 10, "the other thread to work")
        yield times
    finally:
        ended.set()
        thread.join()
    assert failures == []


def succeeds(pid: int) -> bool:
    """Wait for a child. Returns whether it succeeded in time; kills it if it hangs."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status == 0
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return False
        time.sleep(0.002)


@pytest.mark.parametrize("work", [record, add_series, scrape, push])
def test_a_fork_at_any_moment_loses_nothing_and_no_process_hangs(telemetry: Telemetry, work: Work) -> None:
    def live() -> None:
        for _ in range(COUNTS):
            count(telemetry, "child")
        assert total(telemetry, "child") >= COUNTS

    with in_another_thread(work, telemetry) as times:
        results = [succeeds(fork(live)) for _ in range(FORKS)]
    assert results == [True] * FORKS
    assert total(telemetry, "parent") == times[0]
    assert total(telemetry, "child") == FORKS * COUNTS


def test_children_of_a_recording_parent_can_shut_down(telemetry: Telemetry, receiver: Receiver) -> None:
    def live() -> None:
        count(telemetry, "child")
        assert telemetry.shutdown(TIMEOUT / 2)

    with in_another_thread(add_series, telemetry) as times:
        assert [succeeds(fork(live)) for _ in range(FORKS)] == [True] * FORKS
    assert telemetry.force_flush()
    assert pushed_total(receiver, "hits", by="parent") == times[0]
    assert pushed_total(receiver, "hits", by="child") == FORKS


def test_a_child_that_lives_on_keeps_no_lock_of_its_parent(telemetry: Telemetry) -> None:
    """File locks belong to the open file description, which a child inherits."""
    pipe, pids = os.pipe(), []

    def wait_for_parent() -> None:
        os.close(pipe[1])
        os.read(pipe[0], 1)

    def count_and_die() -> None:
        count(telemetry, "child")

    with in_another_thread(scrape, telemetry):
        for _ in range(FORKS):
            pids.append(fork(wait_for_parent))
            assert succeeds(fork(count_and_die))
    try:
        assert total(telemetry, "child") == FORKS
        assert telemetry.force_flush(TIMEOUT / 2), "a child keeps the lock of the leader"
        assert telemetry.shutdown(TIMEOUT / 2)
    finally:
        for descriptor in pipe:
            os.close(descriptor)
        assert [succeeds(pid) for pid in pids] == [True] * FORKS


def test_a_parent_that_was_shut_down_starts_nothing_after_a_fork(telemetry: Telemetry) -> None:
    assert succeeds(fork(lambda: None))  # from now on, what other tests have configured has its threads
    others = threading.active_count()
    count(telemetry, "parent")
    assert telemetry.shutdown()
    assert succeeds(fork(lambda: None))
    wait_until(lambda: threading.active_count() <= others, 10, "the threads to end")


def test_a_child_withdraws_nothing_that_its_parent_observes(telemetry: Telemetry) -> None:
    parent = os.getpid()

    def observe(options: CallbackOptions) -> Iterable[Observation]:
        if os.getpid() == parent:
            yield Observation(5, {"of": "the parent"})

    meter = telemetry.meter("app")
    meter.create_observable_gauge("level", [observe])
    meter.create_observable_counter("sum", [observe])
    telemetry.snapshot()
    assert succeeds(fork(lambda: telemetry._components.callbacks.run(True)))
    totals = telemetry._components.store.read()
    shown = {
        family.descriptor.name: [point.cells[0] for point in family.points] for family in totals.families
    }
    assert (shown["level"], shown["sum"]) == ([5], [5])
