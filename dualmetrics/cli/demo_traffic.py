"""Requests of which it is known what they must count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from websockets.sync.client import connect

from dualmetrics.cli.demo_servers import FASTAPI, FLASK, App, DemoServer
from dualmetrics.cli.samples import Sample, Samples, make_sample


class Request(NamedTuple):
    """A request that an example app takes, and what counts it."""

    method: str
    path: str
    status: int
    routes: dict[App, str]


def _everywhere(route: str) -> dict[App, str]:
    return {FLASK: route, FASTAPI: route}


REQUESTS = (
    Request("GET", "/", 200, _everywhere("/")),
    Request("GET", "/users/{number}", 200, {FLASK: "/users/<int:user>", FASTAPI: "/users/{user}"}),
    Request("POST", "/orders/{number}", 200, {FLASK: "/orders/<int:value>", FASTAPI: "/orders/{value}"}),
    Request("GET", "/error", 500, _everywhere("/error")),
    Request("GET", "/stream", 200, _everywhere("/stream")),
    Request("GET", "/no/such/page/{number}", 404, _everywhere("unmatched")),
)


class Traffic:
    """Sends requests to one server and notes what they must have counted."""

    def __init__(self, server: DemoServer) -> None:
        self._server = server
        self._sent: Counter[Sample] = Counter()
        self._number = 0

    @property
    def answered(self) -> int:
        """How many requests were answered."""
        return sum(count for found, count in self._sent.items() if found.name == "http_requests_total")

    def expected(self) -> Samples:
        """What page and Collector must show."""
        still = {make_sample("shop_carts_open"): 0.0}
        for method in ("GET", "POST"):
            still[make_sample("http_connections_active", http_method=method)] = 0.0
        if self._server.app is FASTAPI:
            still[make_sample("http_connections_active", http_method="WEBSOCKET")] = 0.0
        return {**{found: float(count) for found, count in self._sent.items()}, **still}

    def send(self, rounds: int, done: Callable[[], None]) -> None:
        """Send every kind of request so many times, calling ``done()`` after each.

        Raises RuntimeError for an answer of another status than the request must have.
        """
        for _ in range(rounds):
            for request in REQUESTS:
                self._send(request)
            if self._server.app is FASTAPI:
                self._talk()
            done()

    def _send(self, request: Request) -> None:
        self._number += 1
        path = request.path.format(number=self._number % 120)
        status = self._server.ask(request.method, path)
        if status != request.status:
            raise RuntimeError(f"{request.method} {path} was answered with {status}, not {request.status}")
        labels = {
            "http_method": request.method,
            "http_route": request.routes[self._server.app],
            "http_status_code": str(status),
        }
        self._count("http_requests_total", **labels)
        self._count("http_request_duration_milliseconds_count", **labels)
        if request.method == "POST":
            self._count("shop_orders_total", payment="card")
            self._count("shop_basket_value_EUR_count", payment="card")

    def _talk(self) -> None:
        """One message over a websocket: active meanwhile, counted nowhere."""
        with connect(self._server.url.replace("http", "ws", 1) + "/echo") as socket:
            socket.send("hello")
            socket.recv()

    def _count(self, name: str, **labels: str) -> None:
        self._sent[make_sample(name, **labels)] += 1
