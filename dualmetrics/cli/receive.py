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
@click.option("--grpc-port", default=4317, show_default=True, help="The port for gRPC; 0 chooses a free one.")
@click.option("--http-port", default=4318, show_default=True, help="The port for HTTP; 0 chooses a free one.")
def receive_command(host: str, grpc_port: int, http_port: int) -> None:
    """Receive metrics by OTLP and print each request as a table, until Ctrl-C."""
    console = Console()
    printing = threading.Lock()

    def print_request(request: ReceivedRequest) -> None:
        with printing:
            console.print(_request_table(request))

    try:
        receiver = Receiver(host, grpc_port, http_port, print_request)
    except OSError as error:
        raise click.ClickException(f"cannot listen: {error}") from error
    with stop_event() as stopped, receiver:
        console.print(
            f"receiving gRPC on {receiver.grpc_endpoint}, HTTP on {receiver.http_endpoint}; stop with Ctrl-C"
        )
        stopped.wait()


def _request_table(request: ReceivedRequest) -> Table:
    title = f"received at {time.strftime('%H:%M:%S', time.localtime(request.at))}"
    table = Table("service", "series", "kind", "value", "unit", title=title, title_justify="left")
    for key, point in read_points(request.message):
        table.add_row(*point_cells(key, point))
    return table


def point_cells(key: SeriesKey, point: ReceivedPoint) -> tuple[str, ...]:
    """Return the cells of a point's row: service, series, kind, value, unit."""
    labels = ", ".join(f"{label}={value}" for label, value in key.attributes)
    series = f"{key.name}{{{labels}}}" if labels else key.name
    kind = point.kind + (" delta" if point.delta else "")
    return key.service, series, kind, _value_text(point), point.unit


def _value_text(point: ReceivedPoint) -> str:
    """Return the value, the sum if there is one, and the trace of the last exemplar that has one."""
    text = f"{point.value:g}"
    if point.kind in ("histogram", "summary") and not math.isnan(point.sum):
        text += f" (sum {point.sum:g})"
    traces = [exemplar.trace_id for exemplar in point.exemplars if exemplar.trace_id]
    return text + (f" (trace {traces[-1]:032x})" if traces else "")
