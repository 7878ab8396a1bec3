"""``dualmetrics demo``: two apps with killed workers, and the same numbers on the page and by OTLP."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dualmetrics.cli.demo_servers import FASTAPI, FLASK, DemoServer, ExampleApp, run_server, wait_for
from dualmetrics.cli.demo_table import SeriesComparison, compare_sides, comparison_table
from dualmetrics.cli.demo_traffic import Traffic
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.cli.samples import Samples, received_samples, without_scope_labels
from dualmetrics.cli.signals import StopSignal, raise_on_stop
from dualmetrics.workers import group_directory

EXPORT_INTERVAL = "500"
"""Milliseconds between pushes. Short, because the user waits for the last one."""
SETTLE_SECONDS = 20


@click.command("demo")
@click.option("--rounds", default=40, show_default=True, help="How often each kind of request is sent.")
@click.option("--endpoint", help="Push to this Collector instead of the embedded receiver.")
@click.option("--keep", is_flag=True, help="Keep everything running at the end, until Ctrl-C.")
def demo_command(rounds: int, endpoint: str | None, keep: bool) -> None:
    """Run the examples on real servers, kill workers, and compare what was sent, exposed and received."""
    console = Console()
    try:
        with raise_on_stop():
            equal = Demo(console, endpoint).run(rounds, keep)
    except StopSignal:
        console.print("stopped")
        raise SystemExit(130) from None
    except (RuntimeError, TimeoutError, OSError) as error:
        raise click.ClickException(str(error)) from error
    finally:
        group_directory.sweep_stale_groups()
    raise SystemExit(0 if equal else 1)


class Demo:
    """One run of the demo. Without an ``endpoint`` it pushes to a receiver of its own."""

    def __init__(self, console: Console, endpoint: str | None) -> None:
        self._console = console
        self._endpoint = endpoint
        self._receiver: Receiver | None = None

    def run(self, rounds: int, keep: bool) -> bool:
        """Run the whole demo. Returns whether all numbers were equal."""
        with ExitStack() as stack:
            if self._endpoint is None:
                self._receiver = stack.enter_context(Receiver())
            servers = [stack.enter_context(self._start(app)) for app in (FLASK, FASTAPI)]
            for server in servers:
                server.wait_until_ready()
            traffic = [Traffic(server) for server in servers]
            self._send(traffic, rounds, "sending requests")
            self._kill_workers(servers)
            self._send(traffic, rounds, "sending more requests")
            results = [self._report(server, sent) for server, sent in zip(servers, traffic, strict=True)]
            if keep:
                self._keep_running(servers)
            return all(results)

    @contextmanager
    def _start(self, app: ExampleApp) -> Iterator[DemoServer]:
        environment = {
            "OTEL_SERVICE_NAME": service_name(app),
            "OTEL_METRICS_EXPORTER": "prometheus,otlp",
            "OTEL_METRIC_EXPORT_INTERVAL": EXPORT_INTERVAL,
            "DUALMETRICS_HOST_METRICS": "true",
        }
        if self._receiver is not None:
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = self._receiver.grpc_endpoint
        else:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = self._endpoint or ""
        with run_server(app, environment) as server:
            yield server

    def _kill_workers(self, servers: list[DemoServer]) -> None:
        for server in servers:
            pid = server.kill_worker()
            self._console.print(f"{server.app.name}: worker {pid} killed with SIGKILL, replaced")

    def _send(self, traffic: list[Traffic], rounds: int, description: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(description, total=rounds * len(traffic))
            for sender in traffic:
                sender.send(rounds, lambda: progress.advance(task))

    def _report(self, server: DemoServer, traffic: Traffic) -> bool:
        """Wait until the numbers are equal, and print the table. Returns whether they are."""
        try:
            wait_for(lambda: _all_equal(self._compare(server, traffic)), SETTLE_SECONDS, "equal numbers")
        except TimeoutError:
            self._console.print(f"[red]the numbers were not equal after {SETTLE_SECONDS} seconds[/]")
        series = self._compare(server, traffic)
        title = f"{server.app.name} on {server.app.server}: {traffic.answered} requests answered"
        self._console.print(comparison_table(title, series, received_known=self._receiver is not None))
        if self._receiver is None:
            self._console.print(f"pushed to {self._endpoint}; the demo cannot read back what it received")
        return _all_equal(series)

    def _compare(self, server: DemoServer, traffic: Traffic) -> list[SeriesComparison]:
        received: Samples | None = None
        if self._receiver is not None:
            received = received_samples(self._receiver.series(), service_name(server.app))
        return compare_sides(traffic.expected(), without_scope_labels(server.page()), received)

    def _keep_running(self, servers: list[DemoServer]) -> None:
        for server in servers:
            self._console.print(f"{server.app.name}: {server.url}/metrics")
        if self._receiver is not None:
            self._console.print(
                f"receiver: {self._receiver.grpc_endpoint} and {self._receiver.http_endpoint}"
            )
        self._console.print("stop with Ctrl-C")
        threading.Event().wait()


def service_name(app: ExampleApp) -> str:
    """Return the service.name of an example app."""
    return f"demo-{app.name}"


def _all_equal(series: list[SeriesComparison]) -> bool:
    return all(each.equal for each in series)
