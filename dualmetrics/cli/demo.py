"""``dualmetrics demo``: two apps, four workers, two of them killed; and the same numbers on both ways out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from dualmetrics.cli.demo_servers import FASTAPI, FLASK, App, DemoServer, running, wait_for
from dualmetrics.cli.demo_table import SeriesComparison, compare_sides, comparison_table
from dualmetrics.cli.demo_traffic import Traffic
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.cli.samples import Samples, received_samples, without_scope_labels
from dualmetrics.cli.signals import StopSignal, raise_on_stop
from dualmetrics.workers import group_directory

INTERVAL = "500"  # milliseconds between pushes: the demo's user waits for them


@click.command("demo")
@click.option("--rounds", default=40, show_default=True, help="How often each kind of request is sent.")
@click.option("--endpoint", help="Push to this Collector instead of an embedded receiver.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
def demo_command(rounds: int, endpoint: str | None, keep: bool) -> None:
    """Run the examples on real servers, kill workers, and compare what was sent, shown and received."""
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
    """One run of the demo."""

    def __init__(self, console: Console, endpoint: str | None) -> None:
        self._console = console
        self._endpoint = endpoint
        self._receiver: Receiver | None = None

    def run(self, rounds: int, keep: bool) -> bool:
        """Everything from start to end; whether all numbers were equal."""
        with ExitStack() as stack:
            if self._endpoint is None:
                self._receiver = stack.enter_context(Receiver())
            servers = [stack.enter_context(self._started(app)) for app in (FLASK, FASTAPI)]
            for server in servers:
                server.wait_until_it_answers()
            traffic = [Traffic(server) for server in servers]
            self._send(traffic, rounds, "sending")
            for server in servers:
                self._console.print(
                    f"{server.app.name}: worker {server.kill_one()} killed with SIGKILL, replaced"
                )
            self._send(traffic, rounds, "sending on")
            reports = [self._report(server, each) for server, each in zip(servers, traffic, strict=True)]
            if keep:
                self._keep(servers)
            return all(reports)

    @contextmanager
    def _started(self, app: App) -> Iterator[DemoServer]:
        environment = {
            "OTEL_SERVICE_NAME": service(app),
            "OTEL_METRICS_EXPORTER": "prometheus,otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._endpoint
            or (self._receiver.grpc_endpoint if self._receiver else ""),
            "OTEL_METRIC_EXPORT_INTERVAL": INTERVAL,
            "DUALMETRICS_HOST_METRICS": "true",
        }
        if self._receiver is not None:
            environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc"
        with running(app, environment) as server:
            yield server

    def _send(self, traffic: list[Traffic], rounds: int, what: str) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(what, total=rounds * len(traffic))
            for each in traffic:
                each.send(rounds, lambda: progress.advance(task))

    def _report(self, server: DemoServer, traffic: Traffic) -> bool:
        """Wait until all is quiet and print the table; whether it has no difference."""
        try:
            wait_for(lambda: not wrong(self._lines(server, traffic)), 20, "equal numbers")
        except TimeoutError:
            self._console.print("[red]the numbers do not become equal[/]")
        lines = self._lines(server, traffic)
        title = f"{server.app.name} on {server.app.server}: {traffic.answered} requests answered"
        self._console.print(comparison_table(title, lines, asked=self._receiver is not None))
        if self._receiver is None:
            self._console.print(f"pushed to {self._endpoint}, which was not asked what it received")
        return not wrong(lines)

    def _lines(self, server: DemoServer, traffic: Traffic) -> list[SeriesComparison]:
        received: Samples | None = None
        if self._receiver is not None:
            received = received_samples(self._receiver.series(), service(server.app))
        return compare_sides(traffic.expected(), without_scope_labels(server.page()), received)

    def _keep(self, servers: list[DemoServer]) -> None:
        for server in servers:
            self._console.print(f"{server.app.name}: {server.url}/metrics")
        if self._receiver is not None:
            self._console.print(
                f"receiver: {self._receiver.grpc_endpoint} and {self._receiver.http_endpoint}"
            )
        self._console.print("Ctrl-C ends it")
        threading.Event().wait()


def service(app: App) -> str:
    """The service.name of an app."""
    return f"demo-{app.name}"


def wrong(lines: list[SeriesComparison]) -> list[SeriesComparison]:
    """The lines on which the sides differ."""
    return [line for line in lines if not line.equal]
