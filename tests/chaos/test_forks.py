"""Forks while another thread records, scrapes or pushes: nothing is lost, counted twice, or stuck."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.server,
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),
]

FORKS, COUNTS, DEADLINE = 40, 20, 20.0
Work = Callable[[Telemetry, int], None]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def telemetry(receiver: Receiver, tmp_path: Path) -> Iterator[Telemetry]:
    made = Telemetry(endpoint=receiver.http_endpoint, service_name="shop", directory=str(tmp_path))
    yield made
    assert made.shutdown()


def count(telemetry: Telemetry, by: str, **more: str) -> None:
    telemetry.meter("app").create_counter("hits").add(1, {"by": by, **more})


def total(telemetry: Telemetry, by: str) -> float:
    """What was counted by parent or children, over the group."""
    families = telemetry.snapshot().families
    points = [point for family in families if family.descriptor.name == "hits" for point in family.points]
    return sum(point.cells[0] for point in points if dict(point.attributes)["by"] == by)


def records(telemetry: Telemetry, number: int) -> None:
    """Count in a series that exists."""
    count(telemetry, "parent")


def begins_series(telemetry: Telemetry, number: int) -> None:
    """Count in one of many series, most of them new."""
    count(telemetry, "parent", number=str(number % 500))


def scrapes(telemetry: Telemetry, number: int) -> None:
    count(telemetry, "parent")
    assert b"hits" in telemetry.render()[1]


def pushes(telemetry: Telemetry, number: int) -> None:
    count(telemetry, "parent")
    telemetry.force_flush(5)  # a fork may end the thread that is asked


@contextlib.contextmanager
def disturbing(work: Work, telemetry: Telemetry) -> Iterator[list[int]]:
    """Work in another thread all the while; gives how often."""
    done, ended = [0], threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            while not ended.is_set():
                work(telemetry, done[0])
                done[0] += 1
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        wait_until(lambda: done[0] or failures, 10, "the other thread to work")
        yield done
    finally:
        ended.set()
        thread.join()
    assert failures == []


def child(work: Callable[[], None]) -> int:
    """The pid of a forked child that works, and ends without any handler."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return pid


def succeeded(pid: int) -> bool:
    """Whether the child came to a good end in time; it is killed if it comes to none."""
    deadline = time.monotonic() + DEADLINE
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return status == 0
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return False
        time.sleep(0.002)


@pytest.mark.parametrize("work", [records, begins_series, scrapes, pushes])
def test_a_fork_at_any_moment_loses_nothing_and_nobody_hangs(telemetry: Telemetry, work: Work) -> None:
    def live() -> None:
        for _ in range(COUNTS):
            count(telemetry, "child")
        assert total(telemetry, "child") >= COUNTS

    with disturbing(work, telemetry) as done:
        ends = [succeeded(child(live)) for _ in range(FORKS)]
    assert ends == [True] * FORKS
    assert total(telemetry, "parent") == done[0]
    assert total(telemetry, "child") == FORKS * COUNTS


def test_children_of_a_busy_parent_can_shut_down(telemetry: Telemetry, receiver: Receiver) -> None:
    def live() -> None:
        count(telemetry, "child")
        assert telemetry.shutdown(DEADLINE / 2)

    with disturbing(begins_series, telemetry) as done:
        assert [succeeded(child(live)) for _ in range(FORKS)] == [True] * FORKS
    assert telemetry.force_flush()
    sent = receiver.series().items()
    by = {who: sum(got.value for key, got in sent if ("by", who) in key[2]) for who in ("parent", "child")}
    assert by == {"parent": done[0], "child": FORKS}


def test_a_child_that_lives_on_keeps_nothing_of_what_its_parent_was_doing(telemetry: Telemetry) -> None:
    """A lock on a file is its open description's, which a child inherits along with its parent's."""
    ends, pids = os.pipe(), []

    def live() -> None:
        os.close(ends[1])
        os.read(ends[0], 1)

    def dies() -> None:
        count(telemetry, "child")

    with disturbing(scrapes, telemetry):
        for _ in range(FORKS):
            pids.append(child(live))
            assert succeeded(child(dies))
    try:
        assert total(telemetry, "child") == FORKS
        assert telemetry.force_flush(DEADLINE / 2), "a child keeps the parent's place"
        assert telemetry.shutdown(DEADLINE / 2)
    finally:
        for end in ends:
            os.close(end)
        assert [succeeded(pid) for pid in pids] == [True] * FORKS
