"""What `dualmetrics receive` prints: in a pipe and on terminals, of honest and of hostile senders."""

from __future__ import annotations

import re
import socket
import subprocess
from urllib.parse import urlsplit

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.series_text import value_text
from tests.cli.commands import DUALMETRICS, grpc_endpoint, http_endpoint, receiving, running
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.server

HTTP_LABELS: dict[str, str | int] = {
    "http.request.method": "GET",
    "http.route": "/api/users/{user}",
    "http.response.status_code": 200,
}
HOSTILE = [
    "/x/[/a-z]+",
    "[bold]x[/bold]",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\nb",
    "\r",
    "\u202egnp",
    "\x9b1m",
]


def push(endpoint: str, route: str = "/", protocol: str = "http/protobuf") -> bool:
    headers = {"api-key": "s3cret", "x-tenant": "shop"}
    telemetry = Telemetry(endpoint=endpoint, protocol=protocol, service_name="shop", headers=headers)
    meter = telemetry.meter("app")
    meter.create_counter("orders", "{order}").add(1234567, {"payment": "card"})
    meter.create_counter("hits").add(1, {"route": route})
    meter.create_histogram("http.server.request.duration", "s").record(0.2, HTTP_LABELS)
    return telemetry.shutdown()


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_in_a_pipe_each_series_is_one_line_with_every_label(locale: str) -> None:
    with receiving(COLUMNS="80", LC_ALL=locale) as command:
        assert push(http_endpoint(command))
        command.wait_for(r"\nshop  dualmetrics.*\n")
        lines = command.output.splitlines()
        assert command.stop() == 0
    assert "shop  orders{payment=card}  counter  1234567  {order}" in lines
    labels = "{http.request.method=GET, http.response.status_code=200, http.route=/api/users/{user}}"
    assert f"shop  http.server.request.duration{labels}  histogram  1 (sum 0.2)  s" in lines


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_at_80_columns_no_label_is_cut_and_no_word_is_broken(locale: str) -> None:
    with receiving(columns=80, LC_ALL=locale) as command:
        assert push(http_endpoint(command))
        command.wait_for("dualmetrics.workers")
        output = command.output
        assert command.stop() == 0
    assert max(map(len, output.splitlines())) <= 80
    words = [f"{label}={value}" for label, value in HTTP_LABELS.items()]
    for word in ("http.server.request.duration", "orders{payment=card}", "1234567 {order}", *words):
        assert word in output, output
    assert output.isascii() == (locale == "C")


def test_the_terminal_decides_and_not_the_environment() -> None:
    with receiving(FORCE_COLOR="1", COLUMNS="40") as command:
        assert push(http_endpoint(command))
        command.wait_for(r"shop  orders\{payment=card\}  counter  1234567  \{order\}\n")


@pytest.mark.parametrize("columns", [None, 80])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_reach_no_terminal(hostile: str, columns: int | None) -> None:
    with receiving(columns=columns, NO_COLOR="1", TERM="dumb") as command:
        assert push(http_endpoint(command), route=hostile), "the push fails"
        command.wait_for("dualmetrics.workers")
        output = command.output
    assert all(each.isprintable() or each == "\n" for each in output)
    assert f"{{route={value_text(hostile)}}}" in output


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_headers_are_named_and_their_values_are_shown_only_on_request(protocol: str) -> None:
    endpoint_of = grpc_endpoint if protocol == "grpc" else http_endpoint
    for options, shown in (((), False), (("--header-values",), True)):
        with receiving(*options) as command:
            assert push(endpoint_of(command), protocol=protocol)
            line = command.wait_for(r"received at .* by (gRPC|HTTP); headers: (.*)\n")
            assert line[1] == ("gRPC" if protocol == "grpc" else "HTTP")
            assert "api-key" in line[2]
            assert "x-tenant" in line[2]
            assert ("api-key=s3cret" in line[2]) is shown
            assert ("s3cret" in command.output) is shown


def test_grpc_at_the_port_for_http_is_recognized() -> None:
    with receiving() as command:
        assert not push(http_endpoint(command), protocol="grpc")
        command.wait_for("speaks gRPC .* to the port for HTTP")
        assert push(http_endpoint(command))


def test_tls_is_recognized() -> None:
    with receiving() as command:
        assert not push(http_endpoint(command).replace("http://", "https://"))
        command.wait_for("speaks TLS")


def test_a_refused_request_is_shown_with_the_reason() -> None:
    with receiving() as command:
        address = urlsplit(http_endpoint(command))
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as client:
            client.sendall(b"POST /v1/\x1b[31m HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 404 ")
        command.wait_for(
            r"refused with status 404: the path is /v1/\\x1b\[31m, but metrics belong to /v1/metrics"
        )


@pytest.mark.parametrize("kind", ["grpc", "http"])
def test_a_busy_port_is_named_with_what_to_do(kind: str) -> None:
    with receiving() as command:
        busy = urlsplit((grpc_endpoint if kind == "grpc" else http_endpoint)(command)).port
        ports = {"grpc": "0", "http": "0", kind: str(busy)}
        options = ["--grpc-port", ports["grpc"], "--http-port", ports["http"]]
        done = subprocess.run(
            [*DUALMETRICS, "receive", *options], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 5
    assert f"cannot listen on port {busy} of 127.0.0.1" in done.stderr
    assert f"choose another port with --{kind}-port" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_it_restarts_while_old_connections_linger() -> None:
    ports = ("--grpc-port", str(free_port()), "--http-port", str(free_port()))
    for _ in range(2):
        with receiving(*ports) as command:
            address = urlsplit(http_endpoint(command))
            client = socket.create_connection((str(address.hostname), int(address.port or 0)))
            with client:
                assert push(http_endpoint(command))
                assert push(grpc_endpoint(command), protocol="grpc")
                assert command.stop() == 0  # it closes first, so its end of the connections lingers


def test_both_ports_must_differ() -> None:
    with running("receive", "--grpc-port", "5000", "--http-port", "5000") as command:
        assert command.end() == 2
        assert "must be different ports" in command.output


@pytest.mark.parametrize("host", ["", "192.0.2.1"])
def test_a_host_that_is_not_here_is_named(host: str) -> None:
    with running("receive", "--host", host, "--grpc-port", "0", "--http-port", "0") as command:
        assert command.end() == 5
        assert re.search(r"Error: cannot listen on .*--host", command.output), command.output


def test_ipv6_addresses_are_possible() -> None:
    with receiving("--host", "::1") as command:
        assert http_endpoint(command).startswith("http://[::1]:")
        assert push(http_endpoint(command))
        assert push(grpc_endpoint(command), protocol="grpc")
        wait_until(
            lambda: command.output.count("received at") == 2, 10, "both", details=lambda: command.output
        )


def test_it_ends_when_nobody_reads_its_output() -> None:
    arguments = [*DUALMETRICS, "receive", "--grpc-port", "0", "--http-port", "0"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        endpoint = re.search(r"HTTP on (\S+);", process.stdout.readline())
        assert endpoint is not None
        process.stdout.close()
        push(endpoint[1])
        assert process.wait(20) == 141
        assert process.stderr.read() == ""
