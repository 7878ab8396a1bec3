"""Requests whose effect on the metrics is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from websockets.sync.client import connect

from dualmetrics.cli.demo_servers import FASTAPI, FLASK, DemoError, DemoServer, ExampleApp
from dualmetrics.cli.samples import Sample, Samples, make_sample


class ExampleRequest(NamedTuple):
    """A request to an example app, the expected status, and the route that counts it in each app."""

    method: str
    path: str
    status: int
    routes: dict[ExampleApp, str]


def _in_both(route: str) -> dict[ExampleApp, str]:
    return {FLASK: route, FASTAPI: route}


REQUESTS = (
    ExampleRequest("GET", "/", 200, _in_both("/")),
    ExampleRequest("GET", "/users/{number}", 200, {FLASK: "/users/<int:user>", FASTAPI: "/users/{user}"}),
    ExampleRequest(
        "POST", "/orders/{number}", 200, {FLASK: "/orders/<int:value>", FASTAPI: "/orders/{value}"}
    ),
    ExampleRequest("GET", "/error", 500, _in_both("/error")),
    ExampleRequest("GET", "/stream", 200, _in_both("/stream")),
    ExampleRequest("GET", "/no/such/page/{number}", 404, _in_both("unmatched")),
)


class Traffic:
    """Sends requests to one server, and knows what they must have counted."""

    def __init__(self, server: DemoServer) -> None:
        self.server = server
        self._sent: Counter[Sample] = Counter()
        self._number = 0

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return sum(count for series, count in self._sent.items() if series.name == "http_requests_total")

    def expected(self) -> Samples:
        """Return what the page and the Collector must show."""
        methods = ["GET", "POST"]
        if self.server.app is FASTAPI:
            methods.append("WEBSOCKET")
        idle = {make_sample("http_connections_active", http_method=method): 0.0 for method in methods}
        idle[make_sample("shop_carts_open")] = 0.0
        return {**{series: float(count) for series, count in self._sent.items()}, **idle}

    def send(self, rounds: int, on_round: Callable[[], None]) -> None:
        """Send every kind of request once in each round, and call ``on_round()`` after each round.

        Raises `DemoError` if an answer has another status than expected.
        """
        for _ in range(rounds):
            for request in REQUESTS:
                self._send(request)
            if self.server.app is FASTAPI:
                self._exchange_message()
            on_round()

    def _send(self, request: ExampleRequest) -> None:
        self._number += 1
        path = request.path.format(number=self._number % 120)
        status = self.server.request_status(request.method, path)
        if status != request.status:
            raise DemoError(f"{request.method} {path} was answered with {status}, not {request.status}")
        self._count_request(request)

    def _count_request(self, request: ExampleRequest) -> None:
        labels = {
            "http_method": request.method,
            "http_route": request.routes[self.server.app],
            "http_status_code": str(request.status),
        }
        self._count("http_requests_total", **labels)
        self._count("http_request_duration_milliseconds_count", **labels)
        if request.method == "POST":
            self._count("shop_orders_total", payment="card")
            self._count("shop_basket_value_EUR_count", payment="card")

    def _exchange_message(self) -> None:
        """Exchange one message over a websocket, which is active meanwhile, but not counted as a request."""
        with connect(self.server.url.replace("http", "ws", 1) + "/echo") as socket:
            socket.send("hello")
            socket.recv()

    def _count(self, name: str, **labels: str) -> None:
        self._sent[make_sample(name, **labels)] += 1
