"""Experiments of all kinds, scraped by one Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.experiments.exporters import Exporter, Step, serving
from tests.experiments.prometheus import configuration, prometheus
from tests.waiting import wait_until

SCRAPES = 30
"""After this many scrapes an exporter stops counting, so that all tests see the same counts."""
REQUESTS_PER_SCRAPE = 40
HISTORY = 5000
"""What a process that is older than the window has counted before."""
RESTART = 12
"""The scrape before which something changes."""


class World(NamedTuple):
    """The address of a Prometheus, and the exporters by experiment and variant."""

    url: str
    exporters: dict[str, dict[str, Exporter]]
    until: float
    """The time after the last scrape that counted."""

    def true_requests(self, experiment: str, variant: str) -> int:
        """Return the requests after the first scrape, which only gives the value to count from."""
        return self.exporters[experiment][variant].served - REQUESTS_PER_SCRAPE


def until_last_scrape(step: Step) -> Step:
    return lambda exporter, scrape: step(exporter, scrape) if scrape < SCRAPES else None


def steady(exporter: Exporter, _: int) -> None:
    exporter.serve(REQUESTS_PER_SCRAPE)


def worse(exporter: Exporter, _: int) -> None:
    exporter.serve(REQUESTS_PER_SCRAPE, error=0.3, median=60)


def restarting(exporter: Exporter, scrape: int) -> None:
    if scrape == RESTART:
        exporter.restart()
    exporter.serve(REQUESTS_PER_SCRAPE)


def growing(exporter: Exporter, scrape: int) -> None:
    exporter.serve(REQUESTS_PER_SCRAPE)
    if scrape >= RESTART:
        exporter.serve(7, route="/new")


def once(exporter: Exporter, scrape: int) -> None:
    if scrape == 0:
        exporter.serve(REQUESTS_PER_SCRAPE)


def breaking(exporter: Exporter, scrape: int) -> None:
    exporter.serve(REQUESTS_PER_SCRAPE, error=0.0 if scrape < SCRAPES // 2 else 1.0)


def with_other_buckets(exporter: Exporter, scrape: int) -> None:
    """A new version, with other bounds, is deployed midway."""
    if scrape == RESTART:
        exporter.restart()
        exporter.bounds = (5.0, 20.0, 50.0, 200.0, 1000.0)
    exporter.serve(REQUESTS_PER_SCRAPE)


def faultless(exporter: Exporter, _: int) -> None:
    exporter.serve(REQUESTS_PER_SCRAPE, error=0.0)


STEPS: dict[str, tuple[Step, Step]] = {
    "same": (steady, steady),
    "worse": (steady, worse),
    "resets": (steady, restarting),
    "births": (steady, growing),
    "gap": (steady, steady),
    "down": (steady, steady),
    "skewed": (steady, steady),
    "unstamped": (steady, steady),
    "idle": (steady, once),
    "broken": (steady, steady),
    "buckets": (steady, steady),
    "faultless": (faultless, faultless),
    "lonely": (steady, steady),
    "breaks": (faultless, breaking),
    "rebucketed": (steady, with_other_buckets),
    "unreachable": (steady, steady),
}


def exporters() -> dict[str, dict[str, Exporter]]:
    """Create the exporters of all experiments, and break some of them."""
    experiments = {
        name: {
            variant: Exporter(until_last_scrape(step))
            for variant, step in zip(("baseline", "candidate"), steps, strict=True)
        }
        for name, steps in STEPS.items()
    }
    for exporter in experiments["gap"].values():
        exporter.failing = {20}
    experiments["down"]["candidate"].failing = range(15, 30)
    for name in ("skewed", "unstamped"):
        experiments[name]["candidate"].behind = 30
    experiments["broken"]["candidate"].extra = 'http_requests_total{http_status_code="201"} NaN\n'
    experiments["buckets"]["candidate"].bounds = (7.0, 70.0, 700.0)
    del experiments["lonely"]["candidate"]
    old = experiments["unreachable"]["candidate"]
    old.serve(HISTORY, error=0.5)
    old.failing = {0}
    old.extra = f"process_start_time_seconds {time.time() - 3 * 86400}\n"
    return experiments


@contextmanager
def world(directory: Path) -> Iterator[World]:
    """Run all experiments. Gives the world once every exporter has been scraped often enough."""
    by_experiment = exporters()
    with ExitStack() as stack:
        targets = {
            name: {variant: stack.enter_context(serving(each)) for variant, each in variants.items()}
            for name, variants in by_experiment.items()
        }
        url = stack.enter_context(prometheus(directory, configuration(targets, ("unstamped",))))
        all_exporters = [each for variants in by_experiment.values() for each in variants.values()]
        wait_until(lambda: min(each.scrapes for each in all_exporters) > SCRAPES + 2, 60, "the last scrape")
        yield World(url, by_experiment, time.time())
