"""A process that may open no more files: it answers, and shows no less than the total."""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

import pytest

from tests.chaos.wsgi_worker import Site
from tests.forking import run_in_child
from tests.servers.server import total
from tests.waiting import wait_until


def internal_errors(site: Site) -> float:
    return total(site.page(), "dualmetrics_internal_errors_total")


@pytest.mark.parametrize("spare", range(8))
def test_no_descriptors_at_the_birth_of_a_worker(tmp_path: Path, spare: int) -> None:
    def work() -> None:
        site = Site(tmp_path)
        kept = use_up(spare)
        site.work(5)
        for descriptor in kept:
            os.close(descriptor)
        site.work(5)
        site.check(10)
        assert site.log.times("private") + site.log.times("no worker group") <= 1, site.log.said

    run_in_child(work)
    assert not list(tmp_path.rglob(".*")), "what could not be completed is removed"


def test_no_descriptors_later_on(tmp_path: Path) -> None:
    def work() -> None:
        site = Site(tmp_path)
        site.work(5)
        kept = use_up(0)
        site.work(5)

        def refused() -> bool:  # its thread may give one back, and one is enough for the total
            kept.extend(take_all())
            return site.status() == 500

        wait_until(refused, 10, "no page rather than less")
        for descriptor in kept:
            os.close(descriptor)
        site.check(13)
        assert internal_errors(site) >= 1

    run_in_child(lambda: Site(tmp_path).work(3))
    run_in_child(work)


def use_up(spare: int) -> list[int]:
    """Take all descriptors but ``spare``."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))  # what other tests have left open
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 100, highest + 100))
    taken = take_all()
    for _ in range(spare):
        os.close(taken.pop())
    return taken


def take_all() -> list[int]:
    """Take the descriptors that are left."""
    taken: list[int] = []
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.dup(2))
    return taken
