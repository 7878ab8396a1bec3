"""Shutdowns: repeated, from several threads, while other threads record, and under gevent."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from tests.programs import run_python
from tests.waiting import wait_until

THREADS, ROUNDS = 4, 10


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def telemetry(receiver: Receiver, tmp_path: Path) -> Telemetry:
    return Telemetry(endpoint=receiver.http_endpoint, service_name="shop", directory=str(tmp_path))


def pushed_hits(receiver: Receiver) -> float | None:
    return receiver.one("shop", "hits").value


def test_shutdowns_from_several_threads_all_succeed(telemetry: Telemetry, receiver: Receiver) -> None:
    counter, barrier = telemetry.meter("app").create_counter("hits"), threading.Barrier(THREADS)

    def shut_down(_: int) -> bool:
        barrier.wait()
        return telemetry.shutdown()

    with ThreadPoolExecutor(THREADS) as pool:
        for number in range(1, ROUNDS + 1):
            counter.add(1)
            assert list(pool.map(shut_down, range(THREADS))) == [True] * THREADS
            assert telemetry.shutdown()
            assert pushed_hits(receiver) == number


def test_a_flush_during_a_shutdown_returns(telemetry: Telemetry, receiver: Receiver) -> None:
    counter = telemetry.meter("app").create_counter("hits")
    barrier = threading.Barrier(2)

    def flush() -> bool:
        barrier.wait()
        return telemetry.force_flush(30)

    with ThreadPoolExecutor(1) as pool:
        for _ in range(ROUNDS):
            counter.add(1)
            flushed = pool.submit(flush)
            barrier.wait()
            assert telemetry.shutdown(30)
            flushed.result(5)
    assert telemetry.shutdown()
    counter.add(1)
    assert telemetry.shutdown()
    assert pushed_hits(receiver) == ROUNDS + 1


def test_what_is_recorded_during_shutdowns_is_pushed_by_the_last_one(
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
    assert pushed_hits(receiver) == counted[0] + 1


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
@pytest.mark.parametrize(
    "order", [(PATCH, IMPORT), (IMPORT, PATCH)], ids=["patched before the import", "patched after"]
)
def test_everything_is_pushed_under_gevent(
    receiver: Receiver, tmp_path: Path, order: tuple[str, str]
) -> None:
    first, second = order
    code = PROGRAM.format(
        first=first, second=second, endpoint=receiver.http_endpoint, directory=str(tmp_path)
    )
    assert run_python(code).stderr == ""
    assert pushed_hits(receiver) == 20 * 100 + 2, "the last count is pushed at exit"
