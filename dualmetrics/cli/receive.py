"""``dualmetrics receive``: print the metrics that arrive by OTLP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import groupby, islice
from math import isnan

import click
from rich.table import Column, Table

from dualmetrics.cli.console import PlainConsole, SeriesCell, make_table, plain
from dualmetrics.cli.exit_statuses import CommandError
from dualmetrics.cli.listening import PortError
from dualmetrics.cli.otlp_points import ReceivedPoint, SeriesKey, read_points
from dualmetrics.cli.otlp_receiver import OtlpServer, ReceivedRequest
from dualmetrics.cli.series_text import labels_text, value_text
from dualmetrics.cli.signals import stop_event
from dualmetrics.cli.streams import print_text
from dualmetrics.runtime.printable import printable

PORT = click.IntRange(0, 65535)
MAX_ROWS = 500
"""A table has at most so many rows, because it is made in memory. Lines are printed one by one."""
LINES_AT_ONCE = 1000
NARROW_COLUMNS = 100
NARROW_WIDTHS = {"kind": len("histogram"), "value": len("4bf92f3577b34da6a3ce929d0e0e4736)")}
"""On a narrower terminal these columns are folded, to leave room for the series, but not inside of a word."""


@click.command("receive", short_help="Receive metrics by OTLP and print them.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--grpc-port",
    type=PORT,
    default=4317,
    metavar="PORT",
    show_default=True,
    help="The port for gRPC; 0 chooses a free one.",
)
@click.option(
    "--http-port",
    type=PORT,
    default=4318,
    metavar="PORT",
    show_default=True,
    help="The port for HTTP; 0 chooses a free one.",
)
@click.option("--header-values", is_flag=True, help="Show the values of headers, too. They may be secret.")
def receive_command(host: str, grpc_port: int, http_port: int, header_values: bool) -> None:
    """Receive metrics by OTLP and print each request, until Ctrl-C.

    A terminal shows tables. Otherwise each series is one line: service, series, kind, value and unit.
    """
    if grpc_port == http_port != 0:
        raise click.UsageError("--grpc-port and --http-port must be different ports.")
    with stop_event() as stopped:
        output = ReceivedOutput(stopped, header_values=header_values)
        with _open_ports(host, grpc_port, http_port, output) as server:
            output.print_line(
                f"receiving gRPC on {server.grpc_endpoint}, HTTP on {server.http_endpoint}; stop with Ctrl-C"
            )
            stopped.wait()
    output.raise_failure()


def _open_ports(host: str, grpc_port: int, http_port: int, output: ReceivedOutput) -> OtlpServer:
    try:
        return OtlpServer(host, grpc_port, http_port, output.print_request, output.print_refusal)
    except PortError as error:
        option = f"--{error.protocol.lower()}-port"
        advice = f"Choose another port with {option}, or another address with --host."
        if error.in_use:
            advice = (
                "Stop the program that uses it, perhaps a Collector or another `dualmetrics receive`, or"
                f" choose another port with {option}."
            )
        raise CommandError(f"{error}. {advice}") from error
    except OSError as error:
        raise CommandError(f"{error}. Choose another address with --host.") from error


class ReceivedOutput:
    """Prints the requests of all threads, one after the other: as tables on a terminal, else as lines.

    If printing fails, because nobody reads the output any more, it sets ``stopped``.
    """

    def __init__(self, stopped: threading.Event, *, header_values: bool) -> None:
        self._console = PlainConsole()
        self._stopped = stopped
        self._header_values = header_values
        self._printing = threading.Lock()
        self._failure: OSError | None = None

    def print_line(self, text: str) -> None:
        """Print one line, which a terminal may wrap."""
        self._print(lambda: self._console.print(plain(text)))

    def print_refusal(self, reason: str) -> None:
        """Print why a request was refused."""
        self.print_line(f"{_clock(time.time())} {reason}")

    def print_request(self, request: ReceivedRequest) -> None:
        """Print a heading with the headers, and all series."""
        self._print(lambda: self._print_request(request))

    def raise_failure(self) -> None:
        """Raise the OSError of the first time that printing failed, if it did."""
        if self._failure is not None:
            raise self._failure

    def _print(self, action: Callable[[], None]) -> None:
        with self._printing:
            if self._failure is None:
                try:
                    action()
                except OSError as error:
                    self._failure = error
                    self._stopped.set()

    def _print_request(self, request: ReceivedRequest) -> None:
        heading = f"received at {_clock(request.at)} by {request.protocol}"
        self._console.print(plain(f"{heading}; headers: {self._headers_text(request)}", "bold"))
        points = read_points(request.message)
        if self._console.wraps:
            for table in self._tables(points):
                self._console.print(table)
        else:
            lines = ("  ".join(point_cells(key, point)).rstrip() for key, point in points)
            while some := list(islice(lines, LINES_AT_ONCE)):
                print_text("\n".join(some))

    def _headers_text(self, request: ReceivedRequest) -> str:
        if self._header_values:
            return ", ".join(f"{name}={value_text(value)}" for name, value in sorted(request.headers.items()))
        return ", ".join(sorted(request.headers))

    def _tables(self, points: Iterator[tuple[SeriesKey, ReceivedPoint]]) -> Iterator[Table]:
        widths = NARROW_WIDTHS if self._console.width < NARROW_COLUMNS else {}
        for service, of_service in groupby(points, key=lambda point: point[0].service):
            columns = [Column(name, max_width=widths.get(name)) for name in ("series", "kind", "value")]
            table = make_table(*columns, title=plain(f"service {service}"))
            for key, point in islice(of_service, MAX_ROWS):
                _service, _series, kind, value, unit = point_cells(key, point)
                series = SeriesCell(value_text(key.name), labels_text(key.attributes))
                table.add_row(series, kind.replace("_", " "), f"{value} {unit}".rstrip())
            if more := sum(1 for _ in of_service):
                table.caption = f"and {more} more series; pipe the output to see all"
            yield table


def _clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def point_cells(key: SeriesKey, point: ReceivedPoint) -> tuple[str, ...]:
    """Return what is shown of a point: service, series, kind, value, unit."""
    series = value_text(key.name) + labels_text(key.attributes)
    kind = point.kind + (" delta" if point.delta else "")
    return value_text(key.service), series, kind, _value_text(point), printable(point.unit)


def _value_text(point: ReceivedPoint) -> str:
    """Return the value, the sum if there is one, and the trace of the last exemplar that has one."""
    text = f"{point.value:.15g}"
    if point.kind in ("histogram", "summary") and not isnan(point.sum):
        text += f" (sum {point.sum:.15g})"
    traces = [exemplar.trace_id for exemplar in point.exemplars if exemplar.trace_id]
    return text + (f" (trace {traces[-1]:032x})" if traces else "")
