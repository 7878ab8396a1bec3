"""Attempts to get around the protections of the page, on every kind of app: all of them are refused."""

from __future__ import annotations

import base64
import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.scrape.dedicated_port import DedicatedPort
from dualmetrics.telemetry import Telemetry
from tests.chaos.protected_apps import APPS, Client, PageRequest, PageResponse
from tests.pages import page
from tests.ports import free_port

OpenApp = Callable[..., Client]

TOKEN = b"Bearer sesame"
SECRETS = {"metrics_token": "sesame", "metrics_basic_auth": "u:p:q"}
ALLOW_NETWORKS = {"metrics_allow": "10.0.0.0/8,2001:db8::/32,fe80::/10"}
BEHIND_PROXIES = {**ALLOW_NETWORKS, "trusted_proxies": "192.0.2.0/24,2001:db8:ffff::/48"}
ON_EVERY_PAGE = b"dualmetrics_"
"""Names of the library's own metrics."""


@pytest.fixture(params=APPS, ids=lambda app: app.__name__)
def open_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenApp]:
    """A function that makes an app with the given settings, and returns a client of it."""
    telemetries: list[Telemetry] = []

    def make(**settings: Any) -> Client:
        telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), **settings)
        telemetries.append(telemetry)
        client: Client = request.param(telemetry)
        return client

    yield make
    for telemetry in telemetries:
        telemetry.shutdown()
        assert telemetry.errors.error_count == 0


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


def shows_page(answer: PageResponse) -> bool:
    return ON_EVERY_PAGE in answer.body or b"# TYPE" in answer.body


def is_refused(answer: PageResponse, status: int) -> bool:
    """Whether the answer has this status and no body."""
    return answer.status == status and answer.body == b""


def test_the_token_and_the_password_show_the_page(open_app: OpenApp) -> None:
    send = open_app(**SECRETS)
    for good in (TOKEN, b"bEaReR sesame", basic(b"u:p:q"), basic(b"u:p:q").replace(b"Basic", b"bAsIc")):
        answer = send(PageRequest(headers=[("Authorization", good)]))
        assert (answer.status, shows_page(answer)) == (200, True), good


WRONG_SECRETS = [
    b"", b" ", b"sesame", b"Token sesame", b"Basic sesame", b"Bearer u:p:q",
    b"Bearer", b"Bearer ", b"Bearer  \t", b"Bearer None", b"Bearer\tsesame", b'Bearer "sesame"',
    b"Bearer sesame\n\nx", b"Bearer sesame\x00", b"Bearer sesame,Bearer sesame", b"Bearer \xff\xfe",
    b"Bearer s\xc3\xa9same", b"Bearer s\xe9same", b"Bearer se\xcc\x81same", b"Bearer " + b"x" * 1_000_000,
    b"Basic", b"Basic =", b"Basic ====", b"Basic u:p:q", b"Digest u:p:q",
    basic(b"u"), basic(b"u:"), basic(b"u:p"), basic(b"u:p:"), basic(b"u:p:q:"), basic(b":u:p:q"),
    basic(b"u:p:q\n"), basic(b"U:p:q"), basic(b"u:p:q\x00"), basic(b"sesame"),
    b"Basic " + base64.b64encode(b"u:p:q").swapcase(),
]  # fmt: skip


def test_a_wrong_secret_is_refused(open_app: OpenApp) -> None:
    send = open_app(**SECRETS)
    for bad in WRONG_SECRETS:
        answer = send(PageRequest(headers=[("Authorization", bad)]))
        assert is_refused(answer, 401), (bad[:80], answer)


def test_a_secret_in_the_wrong_place_or_given_twice_is_refused(open_app: OpenApp) -> None:
    send = open_app(**SECRETS)
    for headers in (
        [("Authorization", TOKEN), ("Authorization", TOKEN)],
        [("Authorization", TOKEN), ("Authorization", b"Bearer x")],
        [("Authorization", b"Bearer x"), ("Authorization", TOKEN)],
        [("Proxy-Authorization", TOKEN)],
        [("X-Authorization", TOKEN)],
        [("Cookie", b"authorization=" + TOKEN)],
    ):
        assert is_refused(send(PageRequest(headers=headers)), 401), headers
    assert is_refused(send(PageRequest(query="token=sesame&access_token=sesame")), 401)


PATHS = [
    "/metrics", "/metrics/", "//metrics", "/metrics//", "/METRICS", "/Metrics", "\\metrics", "metrics", "",
    "/", "/metrics%2f", "/metrics%2F", "/%6detrics", "/metrics%00", "/metrics\x00",
    "/./metrics", "/x/../metrics", "/metrics/.", "/metrics/..", "/metrics/metrics", "/metrics.json",
    "/metrics;x=1", "/metrics?", "/metrics#", "http://localhost/metrics",
    "/metrics ", " /metrics", "/metrics\n", "/metrics\t", "/metrics\u200b", "/\uff4detrics",
]  # fmt: skip
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "get", "QUERY", "X"]


@pytest.mark.parametrize(
    ("settings", "status"), [(SECRETS, 401), (ALLOW_NETWORKS, 403)], ids=["secret", "network"]
)
def test_no_path_and_no_method_shows_the_page(
    open_app: OpenApp, settings: dict[str, str], status: int
) -> None:
    send = open_app(**settings)
    for path, method in product(PATHS, METHODS):
        answer = send(PageRequest(path, method=method))
        assert not shows_page(answer), (path, method)
        assert answer.status in (status, 200, 307, 308, 404, 405), (path, method, answer)
        assert answer.status != 200 or (method, answer.body) == ("OPTIONS", b""), (path, method, answer)
    assert is_refused(send(PageRequest()), status)
    assert is_refused(send(PageRequest(method="HEAD")), status)


ADDRESSES = [
    ("10.1.2.3", 200), ("10.1.2.3\n", 200), ("::ffff:10.1.2.3", 200), ("::FFFF:0a01:0203", 200),
    ("2001:db8::7", 200), ("2001:DB8:0:0::7%eth0", 200), ("fe80::1%25eth0", 200),
    ("11.0.0.1", 403), ("::ffff:11.0.0.1", 403), ("11.0.0.1%10.1.2.3", 403), ("127.0.0.1", 403),
    ("::10.1.2.3", 403), ("64:ff9b::10.1.2.3", 403), ("2002:a01:203::", 403), ("::1", 403),
    ("10.1.2.3/8", 403), ("10.1.2.3,8.8.8.8", 403), ("167838211", 403), ("\uff11\uff10.1.2.3", 403),
    ("10.1.2.3\x00", 403), ("", 403), ("localhost", 403), ("[::ffff:10.1.2.3", 403),
]  # fmt: skip
"""Addresses of clients, and the status that they get."""


def test_only_addresses_in_an_allowed_network_see_the_page(open_app: OpenApp) -> None:
    send = open_app(**ALLOW_NETWORKS)
    for client, status in ADDRESSES:
        answer = send(PageRequest(client=client))
        assert (answer.status, shows_page(answer)) == (status, status == 200), client


CLAIMED_ADDRESSES = [
    [b"10.1.2.3"], [b"10.1.2.3", b"10.1.2.3"], [b"::ffff:10.1.2.3"], [b"[2001:db8::7]:1"],
    [b"fe80::1%lo"], [b"127.0.0.1"],
]  # fmt: skip
FORWARDING_HEADERS = [
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "Client-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X-Forwarded",
]


def test_forwarding_headers_are_ignored_without_trusted_proxies(open_app: OpenApp) -> None:
    send = open_app(**ALLOW_NETWORKS)
    for name, claims in product(FORWARDING_HEADERS, CLAIMED_ADDRESSES):
        answer = send(PageRequest(headers=[(name, claim) for claim in claims], client="192.0.2.1"))
        assert is_refused(answer, 403), (name, claims)


FORWARDED = [
    ([b"10.1.2.3"], 200),
    ([b"8.8.8.8", b"10.1.2.3"], 200),
    ([b"10.1.2.3", b"192.0.2.7, 192.0.2.8"], 200),
    ([b"10.1.2.3", b"2001:db8:ffff::1"], 200),
    ([b"10.1.2.3", b"8.8.8.8"], 403),
    ([b"10.1.2.3, 8.8.8.8", b"192.0.2.9"], 403),
    ([b"10.1.2.3", b"8.8.8.8", b"192.0.2.9"], 403),
    ([b"10.1.2.3", b"unknown"], 403),
    ([b"10.1.2.3", b"\xff\xfe"], 403),
    ([b"10.1.2.3", b"'; drop table"], 403),
    ([b"10.1.2.3, 8.8.8.8\x00"], 403),
    ([b"10.1.2.3;8.8.8.8"], 403),
    ([b"8.8.8.8", b","], 403),
    ([b"10.1.2.3, " * 50_000 + b"8.8.8.8"], 403),
    ([b"8" * 1_000_000], 403),
    ([b"", b""], 403),
]
"""X-Forwarded-For headers of one request, and the status that it gets."""


def test_behind_trusted_proxies_the_last_untrusted_address_of_all_headers_counts(open_app: OpenApp) -> None:
    send = open_app(**BEHIND_PROXIES)
    for claims, status in FORWARDED:
        answer = send(PageRequest(headers=[("X-Forwarded-For", claim) for claim in claims]))
        assert (answer.status, shows_page(answer)) == (status, status == 200), claims[-1][:80]


def repeated(element: bytes, times: int = 100_000) -> bytes:
    return b",".join([element] * times)


def with_header(name: str, value: bytes) -> PageRequest:
    return PageRequest(headers=[(name, value)])


ABUSE = [
    PageRequest(query="&".join(f"name[]=n{number}" for number in range(5000))),
    PageRequest(query="name[]=" + "x" * 10_000_000),
    PageRequest(query="&" * 8000),
    PageRequest(query="name[]&" * 1000),
    PageRequest(query="name%5B%5D=%ff%00%&" * 400),
    with_header("Accept", repeated(b"text/plain;q=0.1")),
    with_header("Accept", repeated(b"a/b;q=" + b"9" * 50)),
    with_header("Accept", b"text/plain" + b";q=0" * 300_000),
    with_header("Accept", b"," * 1_000_000),
    with_header("Accept", b"text/plain;q=" + b"9" * 1_000_000),
    with_header("Accept", b"\xff\xfe;q=\xb2"),
    with_header("Accept-Encoding", repeated(b"gzip;q=0.5")),
    with_header("Accept-Encoding", b"gzip;q=1e999"),
    with_header("Accept-Encoding", b"gzip" + b";q=nan" * 300_000),
    with_header("Accept-Encoding", b"\xff;=;q"),
    with_header("Accept-Encoding", repeated(b"*;q=0") + b",gzip"),
]


def test_an_abusive_request_costs_little_time_and_does_not_fail(open_app: OpenApp) -> None:
    send = open_app()
    send(PageRequest())
    for request in ABUSE:
        began = time.process_time()
        answer = send(request)
        assert answer.status in (200, 400), (request.query[:80], answer)
        assert time.process_time() - began < 2, (request.query[:80], str(request.headers)[:80])
    assert shows_page(send(PageRequest()))


def test_the_dedicated_port_uses_all_forwarding_headers() -> None:
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    number, answer = free_port(), b""
    protected = page(allow=networks, trusted_proxies=networks)
    port = DedicatedPort("", number, "/metrics", protected, lambda: None, ErrorReporter())
    port.open()
    try:
        with socket.create_connection(("127.0.0.1", number), timeout=10) as connection:
            hops = b"X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 127.0.0.1\r\n"
            connection.sendall(b"GET /metrics HTTP/1.0\r\n" + hops + b"\r\n")
            while part := connection.recv(4096):
                answer += part
    finally:
        port.close()
    assert answer.split()[1] == b"403"
    assert answer.endswith(b"\r\n\r\n")
