"""Exporters whose true counts are known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import exp
from statistics import NormalDist

NORMAL = NormalDist()
BOUNDS = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)

Step = Callable[["Exporter", int], None]


class Exporter:
    """Counts requests as an app would. Each scrape first lets some requests happen: `step` says which."""

    def __init__(self, step: Step | None = None) -> None:
        self.step = step or (lambda exporter, _: exporter.serve(40))
        self.bounds: tuple[float, ...] = BOUNDS
        self.scrapes = 0
        self.failing: Container[int] = ()
        self.extra = ""
        self.rename: Callable[[str], str] = str
        """Changes the whole page, to give the metrics other names."""
        self.behind: float | None = None
        """How many seconds the target's clock is behind. None: the samples have no timestamps."""
        self.served = 0
        self.failed = 0
        self.counts: dict[tuple[str, str], list[int]] = {}
        self.lock = threading.Lock()

    def serve(self, requests: int, error: float = 0.02, median: float = 20.0, route: str = "/") -> None:
        """Count requests with log-normal durations in milliseconds. They are the same each time."""
        for number in range(requests):
            failed = number * 7 % requests < round(error * requests)
            self.served += 1
            self.failed += failed
            duration = median * exp(0.7 * NORMAL.inv_cdf((number + 0.5) / requests))
            row = self.counts.setdefault((route, "500" if failed else "200"), [0] * (len(self.bounds) + 1))
            row[sum(duration > bound for bound in self.bounds)] += 1

    def restart(self) -> None:
        """Start a new process, which has no series yet."""
        self.counts.clear()

    def page(self) -> bytes | None:
        """Return the page for the next scrape, or None if the scrape fails."""
        with self.lock:
            self.step(self, self.scrapes)
            self.scrapes += 1
            if self.scrapes - 1 in self.failing:
                return None
            lines = ["# TYPE http_requests_total counter"]
            lines += [f"http_requests_total{{{_labels(key)}}} {sum(row)}" for key, row in self.counts.items()]
            lines.append("# TYPE http_request_duration_milliseconds histogram")
            for key, row in self.counts.items():
                lines += self._histogram(_labels(key), row)
            stamp = "" if self.behind is None else f" {int((time.time() - self.behind) * 1000)}"
            text = "\n".join(line if line.startswith("#") else line + stamp for line in lines)
            return self.rename(f"{text}\n{self.extra}").encode()

    def _histogram(self, labels: str, row: list[int]) -> Iterator[str]:
        name = "http_request_duration_milliseconds"
        for index, bound in enumerate([*self.bounds, "+Inf"]):
            yield f'{name}_bucket{{{labels},le="{bound}"}} {sum(row[: index + 1])}'
        yield f"{name}_count{{{labels}}} {sum(row)}"
        yield f"{name}_sum{{{labels}}} {sum(row) * 20}"


def _labels(key: tuple[str, str]) -> str:
    return f'http_method="GET",http_route="{key[0]}",http_status_code="{key[1]}"'


@contextmanager
def serving(exporter: Exporter) -> Iterator[str]:
    """Serve the exporter on a free port during the block. Gives ``host:port``."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            page = exporter.page()
            body = page or b""
            self.send_response(503 if page is None else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError, ConnectionResetError):  # the scrape timed out
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True  # Prometheus keeps its connections open
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
