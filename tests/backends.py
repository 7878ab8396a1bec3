"""Real databases for tests, started on free loopback ports and ended with the block."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from tests import peers
from tests.ports import free_port
from tests.waiting import wait_until

takes_long = pytest.mark.skipif("TEST_CONFORMANCE" not in os.environ, reason="long: tox -e conformance")
"""Marks a test that CI leaves out, since it takes minutes."""

Labels = frozenset[tuple[str, str]]


class Target(NamedTuple):
    """What a database scrapes: the loopback port of a page, and labels to add to its series."""

    port: int
    labels: dict[str, str]


class Database:
    """A time series database that speaks Prometheus' HTTP API."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.log = log
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expression: str, at: float | None = None) -> dict[Labels, float]:
        """Run an instant query. Returns the values by labels, which include ``__name__``."""
        answer = self._get_json("query", query=expression, time=str(time.time() if at is None else at))
        return {frozenset(series["metric"].items()): float(series["value"][1]) for series in answer["result"]}

    def exemplars(self, expression: str) -> list[dict[str, Any]]:
        """Return the exemplars of the last hour, of all series of an expression."""
        now = time.time()
        by_series = self._get_json(
            "query_exemplars", query=expression, start=str(now - 3600), end=str(now + 60)
        )
        return [exemplar for series in by_series for exemplar in series["exemplars"]]

    def flush(self) -> None:
        """Make visible to queries what has arrived."""

    def get(self, path: str) -> bytes:
        """Request a path; fail with the database's own text if it answers with an error."""
        try:
            with urlopen(f"{self.url}{path}", timeout=30) as response:
                return bytes(response.read())
        except HTTPError as error:
            raise AssertionError(f"{path}: {error.read().decode()}") from error

    def _get_json(self, endpoint: str, **parameters: str) -> Any:
        return json.loads(self.get(f"/api/v1/{endpoint}?{urlencode(parameters)}"))["data"]


class OtlpDatabase(Database):
    """A database that also takes OTLP over HTTP, at ``otlp``."""

    otlp_path: ClassVar[str]
    reload_method: ClassVar[str]

    def __init__(self, port: int, log: Path, configuration: Path) -> None:
        super().__init__(port, log)
        self._configuration = configuration

    @staticmethod
    def configuration(targets: Sequence[Target]) -> str:
        """The configuration that scrapes these pages."""
        return scrape_configuration(targets)

    @property
    def otlp(self) -> str:
        return self.url + self.otlp_path

    def scrape(self, target: Target) -> None:
        """Scrape this page from now on, instead of others."""
        self._configuration.write_text(self.configuration([target]))
        with urlopen(Request(f"{self.url}/-/reload", method=self.reload_method), timeout=30) as response:
            assert response.status == 200


class VictoriaMetrics(OtlpDatabase):
    """VictoriaMetrics."""

    otlp_path = "/opentelemetry"
    reload_method = "GET"

    def flush(self) -> None:
        self.get("/internal/force_flush")


@contextlib.contextmanager
def prometheus(
    folder: Path, targets: Sequence[Target], *options: str, program: Path | None = None
) -> Iterator[Database]:
    """Run Prometheus: the installed one or that of the running Debian, unless ``program`` is given."""
    command = [str(program or peers.prometheus_tool("prometheus")), *options]
    with run_prometheus(folder, command, _write_configuration(folder, targets)) as (port, log):
        yield Database(port, log)


@contextlib.contextmanager
def run_prometheus(folder: Path, command: Sequence[str], configuration: Path) -> Iterator[tuple[int, Path]]:
    """Run a Prometheus with a configuration. Gives its port and its log once it answers."""
    port = free_port()
    options = [
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / f'prometheus-{port}'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with run_program([*command, *options], folder) as log:
        database = Database(port, log)
        wait_until(
            lambda: _is_healthy(database, "/-/ready"), 30, "Prometheus to answer", details=log.read_text
        )
        yield port, log


@contextlib.contextmanager
def prometheus3(folder: Path, targets: Sequence[Target], *options: str) -> Iterator[Database]:
    """Run Prometheus 3."""
    with prometheus(folder, targets, *options, program=peers.program_from_sid("prometheus")) as database:
        yield database


@contextlib.contextmanager
def victoria_metrics(
    folder: Path, targets: Sequence[Target] = (), *options: str
) -> Iterator[VictoriaMetrics]:
    """Run VictoriaMetrics, set to name pushed series as Prometheus does."""
    configuration = _write_configuration(folder, targets)
    port = free_port()
    command = [
        str(peers.program_from_sid("victoria-metrics")),
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-storageDataPath={folder / f'victoria-{port}'}",
        f"-promscrape.config={configuration}",
        "-opentelemetry.usePrometheusNaming",
        "-opentelemetry.promoteScopeMetadata=false",
        "-opentelemetry.promoteAllResourceAttributes=false",
        "-opentelemetry.labelNameUnderscoreSanitization=false",
        "-search.latencyOffset=0s",
        "-search.disableCache",
        "-memory.allowedBytes=256MiB",
        *options,
    ]
    with run_program(command, folder) as log:
        database = VictoriaMetrics(port, log, configuration)
        wait_until(
            lambda: _is_healthy(database, "/health"), 30, "VictoriaMetrics to answer", details=log.read_text
        )
        yield database


def _write_configuration(folder: Path, targets: Sequence[Target]) -> Path:
    file = folder / f"scrape-{free_port()}.yml"
    file.write_text(scrape_configuration(targets))
    return file


def scrape_configuration(targets: Sequence[Target], **settings: Any) -> str:
    """The configuration in JSON, which is YAML too. ``settings`` are added."""
    jobs = [
        {
            "job_name": f"job-{target.port}",
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "static_configs": [{"targets": [f"127.0.0.1:{target.port}"], "labels": target.labels}],
        }
        for target in targets
    ]
    return json.dumps({"scrape_configs": jobs, **settings})


@contextlib.contextmanager
def run_program(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Run a program until the end of the block, with more environment variables. Gives its log file."""
    log = folder / f"{Path(command[0]).name}-{free_port()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
    try:
        yield log
    finally:
        process.kill()
        process.wait(10)


def _is_healthy(database: Database, path: str) -> bool:
    try:
        database.get(path)
    except (OSError, AssertionError):
        return False
    return True
