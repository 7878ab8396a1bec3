"""Shut down twice, from several threads at once, while others record; and under gevent."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from tests.waiting import wait_until

THREADS, ROUNDS = 4, 10


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def telemetry(receiver: Receiver, tmp_path: Path) -> Telemetry:
    return Telemetry(endpoint=receiver.http_endpoint, service_name="shop", directory=str(tmp_path))


def received(receiver: Receiver) -> float | None:
    return receiver.one("shop", "hits").value


def test_threads_that_shut_down_at_once_all_see_it_done_in_time(
    telemetry: Telemetry, receiver: Receiver
) -> None:
    counter, together = telemetry.meter("app").create_counter("hits"), threading.Barrier(THREADS)

    def shut_down(_: int) -> bool:
        together.wait()
        return telemetry.shutdown()

    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(1, ROUNDS + 1):
            counter.add(1)
            assert list(pool.map(shut_down, range(THREADS))) == [True] * THREADS
            assert telemetry.shutdown()
            assert received(receiver) == number


def test_a_flush_that_meets_a_shutdown_is_answered(telemetry: Telemetry, receiver: Receiver) -> None:
    counter = telemetry.meter("app").create_counter("hits")
    together = threading.Barrier(2)

    def flush() -> bool:
        together.wait()
        return telemetry.force_flush(30)

    with ThreadPoolExecutor(1) as pool:
        for _ in range(ROUNDS):
            counter.add(1)
            flushed = pool.submit(flush)
            together.wait()
            assert telemetry.shutdown(30)
            flushed.result(5)
    assert telemetry.shutdown()
    counter.add(1)
    assert telemetry.shutdown()
    assert received(receiver) == ROUNDS + 1


def test_what_is_recorded_during_shutdowns_is_counted_and_pushed_in_the_end(
    telemetry: Telemetry, receiver: Receiver
) -> None:
    counter, ended, counted = telemetry.meter("app").create_counter("hits"), threading.Event(), [0]

    def record() -> None:
        while not ended.is_set():
            counter.add(1)
            counted[0] += 1
            ended.wait(0.0001)

    with ThreadPoolExecutor(1) as pool:
        recording = pool.submit(record)
        for _ in range(ROUNDS):
            before = counted[0]
            wait_until(lambda seen=before: counted[0] > seen, 10, "another count")  # type: ignore[misc]
            assert telemetry.shutdown()
        ended.set()
        recording.result(10)
    counter.add(1)
    assert telemetry.shutdown()
    assert received(receiver) == counted[0] + 1


PROGRAM = """
{first}
{second}
import gevent, os, threading
telemetry = Telemetry(endpoint={endpoint!r}, service_name="shop", directory={directory!r})
counter = telemetry.meter("app").create_counter("hits")
def work():
    for _ in range(100):
        counter.add(1)
        gevent.sleep(0)
jobs = [gevent.spawn(work) for _ in range(20)]
jobs.append(gevent.spawn(lambda: [telemetry.render() for _ in range(3)]))
gevent.joinall(jobs, raise_error=True)
assert telemetry.force_flush()
counter.add(1)
assert telemetry.shutdown()
assert telemetry.shutdown()
counter.add(1)
"""
PATCH, IMPORT = "from gevent import monkey; monkey.patch_all()", "from dualmetrics import Telemetry"


@pytest.mark.server
@pytest.mark.parametrize("order", [(PATCH, IMPORT), (IMPORT, PATCH)], ids=["before", "after"])
def test_under_gevent_patched_before_or_after_the_import_all_is_pushed(
    receiver: Receiver, tmp_path: Path, order: tuple[str, str]
) -> None:
    first, second = order
    code = PROGRAM.format(
        first=first, second=second, endpoint=receiver.http_endpoint, directory=str(tmp_path)
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert received(receiver) == 20 * 100 + 2, "the last one is pushed at the exit"
