"""A process that may open no more files: the app serves, and a page never shows less than the total."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

import pytest

from tests.chaos.wsgi_worker import WsgiWorker
from tests.forking import run_in_child
from tests.waiting import wait_until


@pytest.mark.parametrize("spare", range(8))
def test_a_worker_that_starts_without_descriptors_counts_everything(tmp_path: Path, spare: int) -> None:
    def work() -> None:
        worker = WsgiWorker(tmp_path)
        taken = use_up_descriptors(spare)
        worker.serve(5)
        for descriptor in taken:
            os.close(descriptor)
        worker.serve(5)
        worker.check_total(10)
        assert worker.private_memory_messages() <= 1, worker.log.messages

    run_in_child(work)
    assert not list(tmp_path.rglob(".*")), "an incomplete file is removed"


def test_without_descriptors_a_page_fails_rather_than_show_less_than_the_total(tmp_path: Path) -> None:
    def work() -> None:
        worker = WsgiWorker(tmp_path)
        worker.serve(5)
        taken = use_up_descriptors(0)
        worker.serve(5)

        def is_page_refused() -> bool:  # the background thread may close one, which is enough for a page
            taken.extend(take_all_descriptors())
            return worker.page_status() == 500

        wait_until(is_page_refused, 10, "a scrape that fails")
        for descriptor in taken:
            os.close(descriptor)
        worker.check_total(13)
        assert worker.internal_errors() >= 1

    run_in_child(lambda: WsgiWorker(tmp_path).serve(3))
    run_in_child(work)


def use_up_descriptors(spare: int) -> list[int]:
    """Open all file descriptors that are left, except ``spare`` of them."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # other tests may have left some open
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 100, highest + 100))
    taken = take_all_descriptors()
    for _ in range(spare):
        os.close(taken.pop())
    return taken


def take_all_descriptors() -> list[int]:
    """Open all file descriptors that are left."""
    taken: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.dup(2))
    return taken
