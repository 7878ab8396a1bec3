"""One run of the demo: the servers, the traffic, the killed workers, and what came of it."""

from __future__ import annotations

import http.client
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from websockets.exceptions import WebSocketException

from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.demo_environment import check_endpoint, server_environment, without_proxy
from dualmetrics.cli.demo_servers import (
    FASTAPI,
    FLASK,
    DemoError,
    DemoServer,
    ExampleApp,
    run_server,
    wait_for,
)
from dualmetrics.cli.demo_table import (
    SeriesComparison,
    all_equal,
    compare_sides,
    comparison_table,
    verdict_sentence,
)
from dualmetrics.cli.demo_traffic import Traffic
from dualmetrics.cli.error_reports import describe_os_error
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.cli.samples import Samples, received_samples, without_scope_labels
from dualmetrics.runtime.redaction import redact_url

SETTLE_SECONDS = 20


class Demo:
    """One run of the demo. Without an ``endpoint`` it pushes to a receiver of its own."""

    def __init__(self, console: PlainConsole, endpoint: str | None) -> None:
        self._console = console
        self._endpoint = endpoint
        self._receiver: Receiver | None = None

    def run(self, rounds: int, *, keep: bool) -> bool:
        """Run the whole demo. Returns whether all numbers were equal. Raises `DemoError`."""
        os.environ.update(without_proxy(os.environ))  # for the websockets
        try:
            with ExitStack() as stack:
                return self._run(stack, rounds, keep=keep)
        except BrokenPipeError:  # nobody reads the output
            raise
        except (OSError, http.client.HTTPException, WebSocketException) as error:
            raise DemoError(str(error) or type(error).__name__) from error

    def _run(self, stack: ExitStack, rounds: int, *, keep: bool) -> bool:
        if self._endpoint is None:
            self._receiver = stack.enter_context(Receiver())
        else:
            self._check_endpoint(self._endpoint)
        servers = [stack.enter_context(self._start(app)) for app in (FLASK, FASTAPI)]
        for server in servers:
            server.wait_until_ready()
        traffic = [Traffic(server) for server in servers]
        self._send(traffic, rounds, "sending requests")
        self._kill_workers(servers)
        self._send(traffic, rounds, "sending more requests")
        pushes = self._wait_for_pushes(servers) if self._endpoint else 0
        equal = self._show_results(traffic, pushes)
        if keep:
            self._keep_running(servers)
        return equal

    def _show_results(self, traffic: list[Traffic], pushes: int) -> bool:
        """Print the verdict and the tables. Returns whether all numbers were equal."""
        results = [self._settle(sent) for sent in traffic]
        equal = all(map(all_equal, results))
        verdict = verdict_sentence(results, killed=len(traffic), is_received=self._receiver is not None)
        if self._endpoint:
            verdict += f" {redact_url(self._endpoint)} took {pushes} pushes; the demo cannot read them back."
        self._console.print(verdict, style="bold green" if equal else "bold red")
        for sent, series in zip(traffic, results, strict=True):
            title = f"{sent.server.app.name} on {sent.server.app.server}: {sent.answered} requests answered"
            self._console.print(comparison_table(title, series, received_known=self._receiver is not None))
        return equal

    @staticmethod
    def _check_endpoint(endpoint: str) -> None:
        try:
            check_endpoint(endpoint)
        except OSError as error:
            reason = describe_os_error(error)
            raise DemoError(
                f"nothing can be pushed to {redact_url(endpoint)}, which cannot be reached: {reason}"
            ) from error

    @contextmanager
    def _start(self, app: ExampleApp) -> Iterator[DemoServer]:
        endpoint = self._receiver.grpc_endpoint if self._receiver else self._endpoint or ""
        environment = server_environment(service_name(app), endpoint, is_ours=self._receiver is not None)
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

    def _wait_for_pushes(self, servers: list[DemoServer]) -> int:
        """Wait until the Collector has taken another push of each server. Returns how many it took in all."""
        before = {server: server.count_pushes("success") for server in servers}
        for server in servers:
            with suppress(TimeoutError):
                wait_for(partial(_has_pushed, server, before[server]), SETTLE_SECONDS, "a push")
            if not _has_pushed(server, before[server]):
                failed = server.count_pushes("failure")
                raise DemoError(
                    f"the push of {server.app.name} to {redact_url(self._endpoint or '')} does not work:"
                    f" {before[server]} succeeded, {failed} failed. {server.last_log_line()}"
                )
        return sum(server.count_pushes("success") for server in servers)

    def _settle(self, traffic: Traffic) -> list[SeriesComparison]:
        """Wait until the numbers are equal, and return them whether they are or not."""
        with suppress(TimeoutError):
            wait_for(lambda: all_equal(self._compare(traffic)), SETTLE_SECONDS, "equal numbers")
        return self._compare(traffic)

    def _compare(self, traffic: Traffic) -> list[SeriesComparison]:
        received: Samples | None = None
        if self._receiver is not None:
            received = received_samples(self._receiver.series(), service_name(traffic.server.app))
        return compare_sides(traffic.expected(), without_scope_labels(traffic.server.page()), received)

    def _keep_running(self, servers: list[DemoServer]) -> None:
        for server in servers:
            self._console.print(f"{server.app.name}: {server.url}/metrics")
        if self._receiver is not None:
            self._console.print(
                f"receiver: {self._receiver.grpc_endpoint} and {self._receiver.http_endpoint}"
            )
        self._console.print("stop with Ctrl-C")
        threading.Event().wait()


def _has_pushed(server: DemoServer, before: int) -> bool:
    return server.count_pushes("success") > before


def service_name(app: ExampleApp) -> str:
    """Return the service.name of an example app."""
    return f"demo-{app.name}"
