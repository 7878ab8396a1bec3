"""Three experiments with a real Prometheus, and a receiver in place of the production's vendor.

Run it: ``python examples/experiment.py [FOLDER]``. It takes two minutes, and needs ``prometheus`` on the PATH
and ``dualmetrics[demo,experiments]``. Expected: PASS for equal variants, FAIL for a slower and failing one,
INCONCLUSIVE for an experiment that was far too short. The reports are left in FOLDER.
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

SCENES = {
    "equal": ({}, 30.0),
    "worse": ({"SHOP_FAILING": "0.15", "SHOP_SECONDS": "0.02"}, 30.0),
    "short": ({}, 4.0),
}
EXPECTED = {"equal": 0, "worse": 1, "short": 3}
MARGINS = ["--errors", "2.5%", "--slo", "50ms", "--slow", "1%"]
COMMAND = [sys.executable, "-c", "from dualmetrics.cli import main; main()"]


def main(folder: Path) -> bool:
    """All three; whether each came out as expected."""
    statuses = {name: scene(folder, name, *settings) for name, settings in SCENES.items()}
    return statuses == EXPECTED


def scene(folder: Path, name: str, candidate: dict[str, str], seconds: float) -> int:
    """Set up one experiment, run it, compare, clean up; the status of the comparison."""
    ports = {variant: free_port() for variant in ("baseline", "candidate")}
    directory = folder / name
    addresses = [word for variant, port in ports.items() for word in (f"--{variant}", f"127.0.0.1:{port}")]
    dualmetrics(
        "experiment", "init", name, "--in", folder, "--port", free_port(), "--duration", "1h", *addresses
    )
    faster(directory / "prometheus.yml")
    with ExitStack() as stack:
        receiver = stack.enter_context(Receiver())
        for variant, port in ports.items():
            changed = candidate if variant == "candidate" else {}
            stack.enter_context(app(directory, variant, port, receiver.http_endpoint, changed))
        stack.enter_context(running([directory / "start-prometheus.sh"]))
        load(list(ports.values()), seconds)
        dualmetrics("experiment", "status", directory)
        report = folder / f"{name}.html"
        end_now = ["--end", time.time()]  # a real one waits for its declared end
        status = dualmetrics("compare", directory, *end_now, "--report", report, *MARGINS)
        received = {str(dict(key[2]).get("http.route")) for key in receiver.series()}
        say(f"the vendor's stand-in received {len(receiver.series())} series, routes {sorted(received)}")
        dualmetrics("experiment", "clean", directory, "--yes")
    return status


def faster(config: Path) -> None:
    """Scrape each 300 ms: nobody waits for hours here."""
    config.write_text(config.read_text().replace("15s", "300ms").replace("10s", "300ms"))


@contextmanager
def app(directory: Path, variant: str, port: int, endpoint: str, changed: dict[str, str]) -> Iterator[None]:
    """A variant on two workers, with its environment file."""
    lines = (directory / f"{variant}.env").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    settings |= {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "1000", **changed}
    arguments = ["--workers", "2", "--log-level", "error", "--port", str(port), "experiment_app:app"]
    here = ["--app-dir", str(Path(__file__).parent)]
    with running([sys.executable, "-m", "uvicorn", *here, *arguments], settings):
        yield


@contextmanager
def running(command: list[str | Path], settings: dict[str, str] | None = None) -> Iterator[None]:
    """A process that ends with the block."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **(settings or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        stop_process(process)


def load(ports: list[int], seconds: float) -> None:
    """Requests by several clients, for so long after the first answers."""
    for port in ports:
        answered(port, time.monotonic() + 30)
    time.sleep(1)  # Prometheus looks once before
    until = time.monotonic() + seconds
    clients = [threading.Thread(target=requests, args=(ports, until)) for _ in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()


def answered(port: int, until: float) -> None:
    """Wait for the first answer."""
    while True:
        try:
            return requests([port], 0.0)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def requests(ports: list[int], until: float) -> None:
    """One request to each in turn, as a balancer would: a slow variant gets no fewer."""
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
    """The command line, as a user types it."""
    say("$ dualmetrics " + " ".join(map(str, arguments)))
    return subprocess.run([*COMMAND, *map(str, arguments)], check=False).returncode


def say(line: str) -> None:
    """Print at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="experiment-"))
    sys.exit(0 if main(where) else 1)
