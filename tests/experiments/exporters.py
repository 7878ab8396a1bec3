"""Exporters whose truth is known: every page that was served is written down."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BOUNDS = (5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)

Step = Callable[["Exporter", int], None]


class Exporter:
    """Requests that are counted as an app would; each scrape lets some more happen before it is answered."""

    def __init__(self, seed: int, step: Step | None = None) -> None:
        self.random = random.Random(seed)
        self.step = step or (lambda exporter, _: exporter.serve(40))
        self.bounds = BOUNDS
        self.scrapes = 0
        self.down = False
        self.extra = ""
        self.stamp = ""
        self.served = 0
        self.failed = 0
        self.counts: dict[tuple[str, str], list[int]] = {}
        self.lock = threading.Lock()

    def serve(self, requests: int, error: float = 0.02, median: float = 20.0, route: str = "/") -> None:
        """Some requests, with log-normal durations in milliseconds."""
        for _ in range(requests):
            failed = self.random.random() < error
            self.served += 1
            self.failed += failed
            taken = median * 2.718 ** self.random.gauss(0, 0.7)
            row = self.counts.setdefault((route, "500" if failed else "200"), [0] * (len(self.bounds) + 1))
            row[sum(taken > bound for bound in self.bounds)] += 1

    def restart(self) -> None:
        """A new process: all counts at 0, no series there."""
        self.counts.clear()

    def page(self) -> bytes:
        """What the next scrape gets."""
        with self.lock:
            self.step(self, self.scrapes)
            self.scrapes += 1
            lines = ["# TYPE http_requests_total counter"]
            lines += [f"http_requests_total{{{_labels(key)}}} {sum(row)}" for key, row in self.counts.items()]
            lines.append("# TYPE http_request_duration_milliseconds histogram")
            for key, row in self.counts.items():
                lines += self._histogram(_labels(key), row)
            text = "\n".join(line if line.startswith("#") else line + self.stamp for line in lines)
            return f"{text}\n{self.extra}".encode()

    def _histogram(self, labels: str, row: list[int]) -> Iterator[str]:
        name = "http_request_duration_milliseconds"
        for at, bound in enumerate([*self.bounds, "+Inf"]):
            yield f'{name}_bucket{{{labels},le="{bound}"}} {sum(row[: at + 1])}'
        yield f"{name}_count{{{labels}}} {sum(row)}"
        yield f"{name}_sum{{{labels}}} {sum(row) * 20}"


def _labels(key: tuple[str, str]) -> str:
    return f'http_method="GET",http_route="{key[0]}",http_status_code="{key[1]}"'


@contextmanager
def serving(exporter: Exporter) -> Iterator[str]:
    """The exporter on a free port; gives ``host:port``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"" if exporter.down else exporter.page()
            self.send_response(503 if exporter.down else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
