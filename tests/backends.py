"""Real backends for tests: found or fetched, started on free loopback ports, ended with the block.

What cannot be fetched is skipped, and pytest's summary says so. Debian stable's Prometheus must be there:
without it a test fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from tests import debian
from tests.ports import free_port
from tests.waiting import wait_until

takes_long = pytest.mark.skipif("TEST_CONFORMANCE" not in os.environ, reason="long: tox -e conformance")
"""For tests that CI's quick form leaves out."""

missing: dict[str, str] = {}
"""The backends that tests were skipped for, and why; pytest's summary shows them."""

Labels = frozenset[tuple[str, str]]


class Target(NamedTuple):
    """What is scraped: the port of a page on loopback, and labels that mark what comes from there."""

    port: int
    labels: dict[str, str]


class Database:
    """A time series database that speaks Prometheus' HTTP API."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expression: str, at: float | None = None) -> dict[Labels, float]:
        """An instant query: the values by labels, ``__name__`` among them."""
        found = self._ask("query", query=expression, time=str(time.time() if at is None else at))
        return {frozenset(each["metric"].items()): float(each["value"][1]) for each in found["result"]}

    def series(self, selector: str) -> set[Labels]:
        """The series that the database knows."""
        now = time.time()
        found = self._ask("series", **{"match[]": selector, "start": str(now - 3600), "end": str(now + 60)})
        return {frozenset(each.items()) for each in found}

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """The exemplars of the last hour."""
        now = time.time()
        found: list[dict[str, Any]] = self._ask(
            "query_exemplars", query=expression, start=str(now - 3600), end=str(now + 60)
        )
        return found

    def flush(self) -> None:
        """Make what has arrived visible to queries."""

    def get(self, path: str) -> bytes:
        """What the backend answers; its error as it says it."""
        try:
            with urlopen(f"{self.url}{path}", timeout=30) as response:
                return bytes(response.read())
        except HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error

    def _ask(self, endpoint: str, **parameters: str) -> Any:
        return json.loads(self.get(f"/api/v1/{endpoint}?{urlencode(parameters)}"))["data"]


class VictoriaMetrics(Database):
    """One that takes OTLP over HTTP too, at ``otlp``."""

    def __init__(self, port: int, log: Path, configuration: Path) -> None:
        super().__init__(port, log)
        self._configuration = configuration

    @property
    def otlp(self) -> str:
        return f"{self.url}/opentelemetry"

    def scrape(self, target: Target) -> None:
        """Scrape another page from now on."""
        self._configuration.write_text(_scrape_configuration([target]))
        self.get("/-/reload")

    def flush(self) -> None:
        self.get("/internal/force_flush")


def prometheus_program() -> Path:
    """Debian stable's Prometheus; a test fails without it."""
    found = shutil.which("prometheus")
    if found is None:
        pytest.fail("prometheus is not on the PATH (Debian: apt-get install prometheus)")
    return Path(found)


@contextlib.contextmanager
def prometheus(
    folder: Path, targets: Sequence[Target], *options: str, program: Path | None = None
) -> Iterator[Database]:
    """Prometheus, the one of Debian stable if no ``program`` is given."""
    configuration = _written(folder, targets)
    port = free_port()
    command = [
        str(program or prometheus_program()),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / f'prometheus-{port}'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]
    with running(command, folder) as log:
        database = Database(port, log)
        wait_until(lambda: _healthy(database, "/-/ready"), 30, "Prometheus to answer", details=log.read_text)
        yield database


@contextlib.contextmanager
def prometheus3(folder: Path, targets: Sequence[Target], *options: str) -> Iterator[Database]:
    """Prometheus 3."""
    with prometheus(folder, targets, *options, program=_of_sid("prometheus")) as database:
        yield database


@contextlib.contextmanager
def victoria_metrics(
    folder: Path, targets: Sequence[Target] = (), *options: str
) -> Iterator[VictoriaMetrics]:
    """VictoriaMetrics, which names what is pushed as Prometheus does."""
    configuration = _written(folder, targets)
    port = free_port()
    command = [
        str(_of_sid("victoria-metrics")),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / f'victoria-{port}'}",
        f"-promscrape.config={configuration}",
        "-opentelemetry.usePrometheusNaming",
        "-opentelemetry.promoteScopeMetadata=false",
        "-opentelemetry.promoteAllResourceAttributes=false",
        "-search.latencyOffset=0s",
        "-search.disableCache",
        "-memory.allowedBytes=256MiB",
        *options,
    ]
    with running(command, folder) as log:
        database = VictoriaMetrics(port, log, configuration)
        wait_until(
            lambda: _healthy(database, "/health"), 30, "VictoriaMetrics to answer", details=log.read_text
        )
        yield database


def warnings() -> Iterable[str]:
    """A line for each backend that tests were skipped for."""
    return (f"NOT TESTED against {name}: {reason}" for name, reason in sorted(missing.items()))


def _of_sid(package: str) -> Path:
    name = f"sid's {package}"
    if name not in missing:  # tried once a run
        try:
            return debian.program(package)
        except debian.UnavailableError as error:
            missing[name] = str(error)
    pytest.skip(f"NOT TESTED against {name}: {missing[name]}")


def _written(folder: Path, targets: Sequence[Target]) -> Path:
    file = folder / f"scrape-{free_port()}.yml"
    file.write_text(_scrape_configuration(targets))
    return file


def _scrape_configuration(targets: Sequence[Target]) -> str:
    """YAML takes JSON."""
    jobs = [
        {
            "job_name": f"job-{target.port}",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{target.port}"], "labels": target.labels}],
        }
        for target in targets
    ]
    return json.dumps({"scrape_configs": jobs})


@contextlib.contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[Path]:
    """A program until the end of the block; its log."""
    log = folder / f"{Path(command[0]).name}-{free_port()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=folder)
    try:
        yield log
    finally:
        process.kill()
        process.wait(10)


def _healthy(database: Database, path: str) -> bool:
    try:
        database.get(path)
    except (OSError, AssertionError):
        return False
    return True
