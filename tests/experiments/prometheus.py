"""Runs a real Prometheus."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests import peers
from tests.ports import free_port
from tests.waiting import wait_until

INTERVAL = "500ms"


def configuration(experiments: Mapping[str, Mapping[str, str]], unstamped: Container[str] = ()) -> str:
    """Return a configuration with one job for each experiment. It is JSON, which is valid YAML."""
    jobs = [
        {
            "job_name": experiment,
            "honor_timestamps": experiment not in unstamped,
            "static_configs": [
                {"targets": [target], "labels": {"experiment": experiment, "variant": variant}}
                for variant, target in variants.items()
            ],
        }
        for experiment, variants in experiments.items()
    ]
    intervals = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}
    return json.dumps({"global": intervals, "scrape_configs": jobs})


@contextmanager
def prometheus(directory: Path, config: str, *flags: str, port: int | None = None) -> Iterator[str]:
    """Run the server during the block. Gives its address once it answers."""
    port = port or free_port()
    file, log = directory / "prometheus.yml", directory / "log"
    file.write_text(config)
    command = [
        str(peers.prometheus_tool("prometheus")),
        f"--config.file={file}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *flags,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: ready(url), 30, "Prometheus", details=log.read_text)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def value(url: str, query: str) -> float:
    """Return the sum of a query's result; 0 if it is empty."""
    answer: dict[str, Any] = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=10).json()
    return sum(float(each["value"][1]) for each in answer["data"]["result"])
