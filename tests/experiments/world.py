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
"""After so many an exporter counts no more, so that the truth is the same for all who look later."""
EACH = 40
RESTART = 12


class World(NamedTuple):
    """A Prometheus' address, and the exporters by experiment and variant."""

    url: str
    exporters: dict[str, dict[str, Exporter]]
    until: float
    """When all was over."""

    def truth(self, experiment: str, variant: str) -> int:
        """The requests after the first scrape: that one only says where counting stood."""
        return self.exporters[experiment][variant].served - EACH


def until_the_end(step: Step) -> Step:
    return lambda exporter, scrape: step(exporter, scrape) if scrape < SCRAPES else None


def steady(exporter: Exporter, _: int) -> None:
    exporter.serve(EACH)


def worse(exporter: Exporter, _: int) -> None:
    exporter.serve(EACH, error=0.3, median=60)


def restarting(exporter: Exporter, scrape: int) -> None:
    if scrape == RESTART:
        exporter.restart()
    exporter.serve(EACH)


def growing(exporter: Exporter, scrape: int) -> None:
    exporter.serve(EACH)
    if scrape >= RESTART:
        exporter.serve(7, route="/new")


def once(exporter: Exporter, scrape: int) -> None:
    if scrape == 0:
        exporter.serve(EACH)


def faultless(exporter: Exporter, _: int) -> None:
    exporter.serve(EACH, error=0.0)


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
}


def exporters() -> dict[str, dict[str, Exporter]]:
    """Those of all experiments, with what is wrong with some."""
    found = {
        name: {
            variant: Exporter(until_the_end(step))
            for variant, step in zip(("baseline", "candidate"), steps, strict=True)
        }
        for name, steps in STEPS.items()
    }
    for exporter in found["gap"].values():
        exporter.failing = {20}
    found["down"]["candidate"].failing = range(15, 30)
    for name in ("skewed", "unstamped"):
        found[name]["candidate"].behind = 30
    found["broken"]["candidate"].extra = 'http_requests_total{http_status_code="201"} NaN\n'
    found["buckets"]["candidate"].bounds = (7.0, 70.0, 700.0)
    del found["lonely"]["candidate"]
    return found


@contextmanager
def world(directory: Path) -> Iterator[World]:
    """All of it, once every exporter has been scraped to its end."""
    every = exporters()
    with ExitStack() as stack:
        targets = {
            name: {variant: stack.enter_context(serving(each)) for variant, each in variants.items()}
            for name, variants in every.items()
        }
        url = stack.enter_context(prometheus(directory, configuration(targets, ("unstamped",))))
        all_of = [each for variants in every.values() for each in variants.values()]
        wait_until(lambda: min(each.scrapes for each in all_of) > SCRAPES + 2, 60, "the last scrape")
        yield World(url, every, time.time())
