"""Three experiments with a real Prometheus, and with a receiver that stands in for a vendor's OTLP endpoint.

Run it with ``python examples/experiment.py [FOLDER]``. It takes two minutes, and needs ``prometheus`` on the
PATH and ``dualmetrics[demo,experiments]``. The result is PASS for equal variants, FAIL for a candidate that
is slower and has more errors, and INCONCLUSIVE for an experiment that was far too short. The reports are
written to FOLDER.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dualmetrics.cli.demo_servers import free_port, stop_process
from dualmetrics.cli.otlp_receiver import Receiver

EXPERIMENTS = {
    "equal": ({}, 30.0),
    "worse": ({"SHOP_FAILING": "0.15", "SHOP_SECONDS": "0.02"}, 30.0),
    "short": ({}, 4.0),
}
EXPECTED_STATUS = {"equal": 0, "worse": 1, "short": 3}
MARGINS = ["--errors", "2.5%", "--slo", "50ms", "--slow", "1%"]
COMMAND = [sys.executable, "-c", "from dualmetrics.cli import main; main()"]


def main(folder: Path) -> bool:
    """Run all three. Returns whether each had the expected result."""
    statuses = {name: run_experiment(folder, name, *settings) for name, settings in EXPERIMENTS.items()}
    return statuses == EXPECTED_STATUS


def run_experiment(folder: Path, name: str, candidate: dict[str, str], seconds: float) -> int:
    """Set up one experiment, run it, compare the variants, and clean up. Returns the exit status."""
    ports = {variant: free_port() for variant in ("baseline", "candidate")}
    directory = folder / name
    addresses = [word for variant, port in ports.items() for word in (f"--{variant}", f"127.0.0.1:{port}")]
    dualmetrics(
        "experiment", "init", name, "--in", folder, "--port", free_port(), "--duration", "1h", *addresses
    )
    scrape_often(directory / "prometheus.yml")
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        for variant, port in ports.items():
            settings = candidate if variant == "candidate" else {}
            stack.enter_context(run_variant(directory, variant, port, receiver.http_endpoint, settings))
        stack.enter_context(run_process([directory / "start-prometheus.sh"]))
        send_load(list(ports.values()), seconds)
        dualmetrics("experiment", "status", directory)
        report = folder / f"{name}.html"
        end_now = ["--end", time.time()]  # a real experiment waits for its declared end
        status = dualmetrics("compare", directory, *end_now, "--report", report, *MARGINS)
        routes = {str(dict(key.attributes).get("http.route")) for key in receiver.series()}
        print_line(f"the receiver got {len(receiver.series())} series, routes {sorted(routes)}")
        dualmetrics("experiment", "clean", directory, "--yes")
    return status


def scrape_often(config: Path) -> None:
    """Scrape every 300 ms, so that a short experiment has enough scrapes."""
    config.write_text(config.read_text().replace("15s", "300ms").replace("10s", "300ms"))


@contextmanager
def run_variant(
    directory: Path, variant: str, port: int, endpoint: str, settings: dict[str, str]
) -> Iterator[None]:
    """Run a variant on two workers during the block, with its environment file."""
    lines = (directory / f"{variant}.env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
    environment |= settings
    arguments = ["--workers", "2", "--log-level", "error", "--port", str(port), "experiment_app:app"]
    here = ["--app-dir", str(Path(__file__).parent)]
    with run_process([sys.executable, "-m", "uvicorn", *here, *arguments], environment):
        yield


@contextmanager
def run_process(command: list[str | Path], environment: dict[str, str] | None = None) -> Iterator[None]:
    """Run a process during the block."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        stop_process(process)


def send_load(ports: list[int], seconds: float) -> None:
    """Send requests by several clients for ``seconds``, once both variants answer."""
    for port in ports:
        wait_for_answer(port, time.monotonic() + 30)
    time.sleep(1)  # Prometheus must scrape once before the first requests
    until = time.monotonic() + seconds
    clients = [threading.Thread(target=send_requests, args=(ports, until)) for _ in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def wait_for_answer(port: int, until: float) -> None:
    """Wait for the first answer. Raises OSError if there is none by the time ``until``."""
    while True:
        try:
            return send_requests([port], 0.0)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def send_requests(ports: list[int], until: float) -> None:
    """Send one request to each port in turn. A slow variant gets as many as a fast one."""
    connections = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for port in ports]
    with ExitStack() as stack:
        for connection in connections:
            stack.callback(connection.close)
        while True:
            for connection in connections:
                connection.request("GET", "/basket")
                connection.getresponse().read()
            if time.monotonic() > until:
                return


def dualmetrics(*arguments: object) -> int:
    """Run the command line as a user would. Returns the exit status."""
    print_line("$ dualmetrics " + " ".join(map(str, arguments)))
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False).returncode


def print_line(line: str) -> None:
    """Print a line without buffering."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    reports = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="experiment-"))
    reports.mkdir(parents=True, exist_ok=True)
    sys.exit(0 if main(reports) else 1)
