"""The OpenTelemetry Collector with the configuration that ``dualmetrics experiment init`` writes."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import Request, urlopen

from click.testing import CliRunner

from dualmetrics import Telemetry
from dualmetrics.cli.commands import dualmetrics_command
from tests import backends, peers
from tests.ports import free_port
from tests.waiting import wait_until

NOBODY = "http://127.0.0.1:9"
"""An endpoint where nothing listens."""

IN_A_CONTAINER = "No `root_path` config set when running in docker environment"

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


class Collector:
    """A running Collector: its two endpoints, its page, and its log."""

    def __init__(self, ports: Mapping[int, int], log: Path) -> None:
        self.grpc = f"http://127.0.0.1:{ports[4317]}"
        self.http = f"http://127.0.0.1:{ports[4318]}"
        self.port = ports[8889]
        """The port of the page."""
        self.log = log

    def endpoint(self, protocol: str) -> str:
        """Return the endpoint for a value of OTEL_EXPORTER_OTLP_PROTOCOL."""
        return self.grpc if protocol == "grpc" else self.http

    def page(self, accept: str = "text/plain") -> str:
        """Return the Prometheus page."""
        request = Request(f"http://127.0.0.1:{self.port}/metrics", headers={"Accept": accept})
        with urlopen(request, timeout=10) as response:
            return bytes(response.read()).decode()

    def problems(self) -> list[str]:
        """Return the warnings and errors in its log, but for those about the machine that it runs on."""
        lines = self.log.read_text().splitlines()
        found = (line for line in lines if re.search(r"\b(warn|error|panic|deprecated)", line, re.IGNORECASE))
        return [line for line in found if IN_A_CONTAINER not in line]


@contextlib.contextmanager
def collector(
    folder: Path, configuration: Path, production: str = "http://127.0.0.1:9"
) -> Iterator[Collector]:
    """Run a configuration on free ports. ``production`` is the vendor's endpoint."""
    file, ports = on_free_ports(configuration)
    environment = {"PRODUCTION_OTLP_ENDPOINT": production, "PRODUCTION_API_KEY": "s3cret"}
    command = [str(peers.collector()), f"--config={file}"]
    with backends.run_program(command, folder, environment) as log:
        running = Collector(ports, log)
        wait_until(
            lambda: "Everything is ready" in log.read_text(), 60, "the Collector", details=log.read_text
        )
        yield running


def init(folder: Path) -> Path:
    """Let `dualmetrics experiment init` write the files of an experiment. Returns the Collector's."""
    command = ["experiment", "init", "shop", "--in", str(folder)]
    result = CliRunner().invoke(dualmetrics_command, command)
    assert result.exit_code == 0, result.output
    return folder / "shop" / "collector.yaml"


def pushing(endpoint: str, service: str, **more: object) -> Telemetry:
    """Return a telemetry that pushes when it is told to, as the baseline of the experiment."""
    arguments: dict[str, object] = {
        "endpoint": endpoint,
        "protocol": "http/protobuf",
        "service_name": service,
        "experiment": "shop",
        "variant": "baseline",
        "scope_labels": "all",
        "export_interval": 3_600_000,
        **more,
    }
    return Telemetry(**arguments)  # type: ignore[arg-type]  # the values are of different types


def validate(configuration: Path) -> None:
    """Let the Collector check a configuration."""
    environment = {"PRODUCTION_OTLP_ENDPOINT": NOBODY, "PRODUCTION_API_KEY": "s3cret"}
    command = [str(peers.collector()), "validate", f"--config={configuration}"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def on_free_ports(configuration: Path) -> tuple[Path, dict[int, int]]:
    """Write a copy with other ports, and without the Collector's own metrics, which have a fixed port."""
    ports = {port: free_port() for port in (4317, 4318, 8889)}
    text = configuration.read_text()
    for port, free in ports.items():
        text = text.replace(f"127.0.0.1:{port}\n", f"127.0.0.1:{free}\n")
    file = configuration.with_name(f"free-{ports[8889]}.yaml")
    file.write_text(text.replace("service:\n", "service:\n  telemetry: {metrics: {level: none}}\n"))
    return file, ports
