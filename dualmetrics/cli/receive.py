"""``dualmetrics receive``: print the metrics that arrive by OTLP."""

from __future__ import annotations

import math
import threading
import time

import click
from rich.console import Console
from rich.table import Table

from dualmetrics.cli.otlp_points import ReceivedPoint, SeriesKey, read_points
from dualmetrics.cli.otlp_receiver import ReceivedRequest, Receiver
from dualmetrics.cli.signals import stop_event


@click.command("receive")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--grpc-port", default=4317, show_default=True, help="The port for gRPC; 0 for a free one.")
@click.option("--http-port", default=4318, show_default=True, help="The port for HTTP; 0 for a free one.")
def receive_command(host: str, grpc_port: int, http_port: int) -> None:
    """Receive metrics by OTLP and print each request as a table, until Ctrl-C."""
    console = Console()
    printing = threading.Lock()

    def show(delivered: ReceivedRequest) -> None:
        with printing:
            console.print(request_table(delivered))

    try:
        receiver = Receiver(host, grpc_port, http_port, show)
    except OSError as error:
        raise click.ClickException(f"cannot listen: {error}") from error
    with stop_event() as stopped, receiver:
        console.print(f"gRPC on {receiver.grpc_endpoint}, HTTP on {receiver.http_endpoint}; Ctrl-C ends it")
        stopped.wait()


def request_table(delivered: ReceivedRequest) -> Table:
    """One request, a line a series."""
    at = time.strftime("%H:%M:%S", time.localtime(delivered.at))
    found = Table(
        "service", "series", "kind", "value", "unit", title=f"received at {at}", title_justify="left"
    )
    for key, received in read_points(delivered.message):
        found.add_row(*point_cells(key, received))
    return found


def point_cells(key: SeriesKey, received: ReceivedPoint) -> tuple[str, ...]:
    """The cells of a line."""
    service, name, attributes, _ = key
    labels = ", ".join(f"{label}={value}" for label, value in attributes)
    summed = received.kind in ("histogram", "summary") and not math.isnan(received.sum)
    value = f"{received.value:g}" + (f" (sum {received.sum:g})" if summed else "")
    traces = [each.trace_id for each in received.exemplars if each.trace_id]
    value += f" (trace {traces[-1]:032x})" if traces else ""
    kind = received.kind + (" delta" if received.delta else "")
    return service, f"{name}{{{labels}}}" if labels else name, kind, value, received.unit
