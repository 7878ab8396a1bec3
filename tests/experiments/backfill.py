"""Hours of samples whose true values are known, put into the data of a real Prometheus at once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dualmetrics.experiments.statistics.arrays import Array
from tests import peers
from tests.experiments.prometheus import prometheus

EXPERIMENT = "shop"
HOUR = 3600.0
BASKET_BOUNDS = (10.0, 20.0, 50.0, 100.0, 200.0)


class Recorded:
    """The samples of one experiment, which ends now."""

    def __init__(self, hours: float, interval: float) -> None:
        self.end = float(int(time.time())) - 60
        self.start = self.end - hours * HOUR
        self.times: Array = np.arange(self.start, self.end, interval)
        self._lines: list[str] = []

    @property
    def steps(self) -> int:
        """The number of scrapes."""
        return len(self.times)

    def add(self, variant: str, name: str, values: Array, **labels: str) -> None:
        """Add a series of one variant."""
        target = {"experiment": EXPERIMENT, "variant": variant, "job": "shop", "instance": f"{variant}:80"}
        text = ",".join(f'{label}="{value}"' for label, value in (target | labels).items())
        pairs = zip(self.times, np.broadcast_to(values, self.times.shape), strict=True)
        self._lines += [f"{name}{{{text}}} {value:.10g} {at:.3f}" for at, value in pairs]

    def count(self, variant: str, name: str, added: Array, **labels: str) -> None:
        """Add a counter to which each scrape adds so much."""
        self.add(variant, name, np.cumsum(added), **labels)

    def write(self, file: Path) -> None:
        """Write all samples in OpenMetrics."""
        file.write_text("\n".join([*self._lines, "# EOF\n"]))


def shop(
    recorded: Recorded,
    variant: str,
    *,
    traffic: float | Array = 300.0,
    errors: float | Array = 0.005,
    failed: float | Array = 0.02,
    basket: float = 40.0,
    cpu: float | Array = 0.01,
    memory: float | Array = 2e8,
    seed: int = 1,
) -> None:
    """Record a variant of a shop: requests, orders, their failures and values, CPU seconds and memory."""
    rng = np.random.default_rng(seed)
    requests = rng.poisson(traffic, recorded.steps).astype(float)
    wrong = _part(requests, errors, rng)
    recorded.add(variant, "up", np.ones(recorded.steps))
    recorded.count(variant, "http_requests_total", requests - wrong, http_status_code="200", http_route="/")
    recorded.count(variant, "http_requests_total", wrong, http_status_code="500", http_route="/")
    orders = _part(requests, 0.3, rng)
    lost = _part(orders, failed, rng)
    recorded.count(variant, "shop_orders_total", orders - lost, status="paid")
    recorded.count(variant, "shop_orders_total", lost, status="failed")
    recorded.count(variant, "shop_items_sold_total", rng.poisson(3 * orders).astype(float))
    _baskets(recorded, variant, orders, basket, rng)
    recorded.count(variant, "process_cpu_seconds_total", requests * cpu * rng.normal(1, 0.1, recorded.steps))
    recorded.add(variant, "process_resident_memory_bytes", memory * rng.normal(1, 0.01, recorded.steps))


def _part(whole: Array, share: float | Array, rng: np.random.Generator) -> Array:
    return rng.binomial(whole.astype(int), share).astype(float)


def _baskets(recorded: Recorded, variant: str, orders: Array, mean: float, rng: np.random.Generator) -> None:
    """Record the values of the orders, which are distributed exponentially."""
    above = np.exp(-np.array([0.0, *BASKET_BOUNDS]) / mean)
    shares = np.append(-np.diff(above), above[-1])
    buckets = rng.multinomial(orders.astype(int), shares).cumsum(axis=1).astype(float)
    for column, bound in enumerate([*BASKET_BOUNDS, "+Inf"]):
        recorded.count(variant, "shop_basket_value_bucket", buckets[:, column], le=str(bound))
    recorded.count(variant, "shop_basket_value_count", orders)
    recorded.count(variant, "shop_basket_value_sum", rng.gamma(np.maximum(orders, 1e-9)) * mean)


@contextmanager
def backfilled(directory: Path, recorded: Recorded) -> Iterator[str]:
    """Run a Prometheus that has the samples. Gives its address."""
    file = directory / "samples.txt"
    recorded.write(file)
    promtool = str(peers.prometheus_tool("promtool"))
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", str(file), str(directory / "data")]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with prometheus(directory, "{}", "--storage.tsdb.retention.time=30d") as url:
        yield url
