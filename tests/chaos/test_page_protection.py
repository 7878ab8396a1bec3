"""Ways around the page's protections, on every kind of site: none leads in, none tells anything."""

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
from tests.chaos.protected_apps import SITES, Answer, Asked, Site
from tests.pages import page
from tests.ports import free_port

Open = Callable[..., Site]

GOOD = b"Bearer sesame"
SECRETS = {"metrics_token": "sesame", "metrics_basic_auth": "u:p:q"}
INSIDE = {"metrics_allow": "10.0.0.0/8,2001:db8::/32,fe80::/10"}
BEHIND = {**INSIDE, "trusted_proxies": "192.0.2.0/24,2001:db8:ffff::/48"}
SHOWN = b"dualmetrics_"
"""In every page: what the library measures of itself."""


@pytest.fixture(params=SITES, ids=lambda site: site.__name__)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Makes a site of a kind, with the settings that are given."""
    made: list[Telemetry] = []

    def make(**settings: Any) -> Site:
        made.append(Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), **settings))
        site: Site = request.param(made[-1])
        return site

    yield make
    for telemetry in made:
        telemetry.shutdown()
        assert telemetry.errors.error_count == 0


def basic(text: bytes) -> bytes:
    return b"Basic " + base64.b64encode(text)


def shows(answer: Answer) -> bool:
    return SHOWN in answer.body or b"# TYPE" in answer.body


def refused(answer: Answer, status: int) -> bool:
    """Whether it is this refusal, which says nothing."""
    return answer.status == status and answer.body == b""


def test_the_secrets_open_the_page(opened: Open) -> None:
    site = opened(**SECRETS)
    for good in (GOOD, b"bEaReR sesame", basic(b"u:p:q"), basic(b"u:p:q").replace(b"Basic", b"bAsIc")):
        answer = site(Asked(headers=[("Authorization", good)]))
        assert (answer.status, shows(answer)) == (200, True), good


BAD = [
    b"", b" ", b"Bearer", b"Bearer ", b"Bearer  \t", b"Bearer None", b"Bearer s\xc3\xa9same",
    b"Bearer s\xe9same",
    b"Bearer se\xcc\x81same", b"Bearer sesame\n\nx", b"Bearer sesame\x00", b"Bearer\tsesame",
    b"Bearer sesame,Bearer sesame", b'Bearer "sesame"', b"sesame", b"Token sesame",
    b"Basic sesame", b"Bearer \xff\xfe", b"Bearer " + b"x" * 1_000_000, basic(b"u"), basic(b"u:"),
    basic(b"u:p"), basic(b"u:p:"), basic(b"u:p:q:"), basic(b":u:p:q"), basic(b"u:p:q\n"), basic(b"U:p:q"),
    basic(b"u:p:q\x00"), b"Basic", b"Basic =", b"Basic ====", b"Basic u:p:q", b"Digest u:p:q",
    b"Bearer u:p:q",
    basic(b"sesame"), b"Basic " + base64.b64encode(b"u:p:q").swapcase(),
]  # fmt: skip


def test_nothing_like_a_secret_opens_it(opened: Open) -> None:
    site = opened(**SECRETS)
    for bad in BAD:
        answer = site(Asked(headers=[("Authorization", bad)]))
        assert refused(answer, 401), (bad[:80], answer)


def test_a_secret_elsewhere_or_twice_opens_nothing(opened: Open) -> None:
    site = opened(**SECRETS)
    for headers in (
        [("Authorization", GOOD), ("Authorization", GOOD)],
        [("Authorization", GOOD), ("Authorization", b"Bearer x")],
        [("Authorization", b"Bearer x"), ("Authorization", GOOD)],
        [("Proxy-Authorization", GOOD)],
        [("X-Authorization", GOOD)],
        [("Cookie", b"authorization=" + GOOD)],
    ):
        assert refused(site(Asked(headers=headers)), 401), headers
    assert refused(site(Asked(query="token=sesame&access_token=sesame")), 401)


PATHS = [
    "/metrics", "/metrics/", "//metrics", "/metrics//", "/metrics%2f", "/metrics%2F", "/%6detrics",
    "/METRICS",
    "/Metrics", "/./metrics", "/x/../metrics", "/metrics/.", "/metrics/..", "/metrics;x=1", "/metrics?",
    "/metrics#",
    "/metrics ", " /metrics", "/metrics\n", "/metrics\t", "/metrics\x00", "/metrics%00", "\\metrics",
    "/metrics.json",
    "metrics", "", "/", "/\uff4detrics", "/metrics\u200b", "http://localhost/metrics", "/metrics/metrics",
]  # fmt: skip
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE", "get", "QUERY", "X"]


@pytest.mark.parametrize(("settings", "status"), [(SECRETS, 401), (INSIDE, 403)], ids=["secret", "network"])
def test_no_path_and_no_method_leads_around(opened: Open, settings: dict[str, str], status: int) -> None:
    site = opened(**settings)
    for path, method in product(PATHS, METHODS):
        answer = site(Asked(path, method=method))
        assert not shows(answer), (path, method)
        assert answer.status in (status, 200, 307, 308, 404, 405), (path, method, answer)
        assert answer.status != 200 or (method, answer.body) == ("OPTIONS", b""), (path, method, answer)
    assert refused(site(Asked()), status)
    assert refused(site(Asked(method="HEAD")), status)


ADDRESSES = [
    ("10.1.2.3", 200), ("::ffff:10.1.2.3", 200), ("::FFFF:0a01:0203", 200), ("2001:db8::7", 200),
    ("2001:DB8:0:0::7%eth0", 200), ("fe80::1%25eth0", 200), ("11.0.0.1", 403), ("::ffff:11.0.0.1", 403),
    ("::10.1.2.3", 403), ("64:ff9b::10.1.2.3", 403), ("2002:a01:203::", 403), ("::1", 403), ("127.0.0.1",
    403),
    ("10.1.2.3\n", 200), ("11.0.0.1%10.1.2.3", 403), ("10.1.2.3/8", 403), ("10.1.2.3,8.8.8.8", 403),
    ("167838211", 403),
    ("\uff11\uff10.1.2.3", 403), ("10.1.2.3\x00", 403), ("", 403), ("localhost", 403),
    ("[::ffff:10.1.2.3", 403),
]  # fmt: skip


def test_only_addresses_inside_get_in(opened: Open) -> None:
    site = opened(**INSIDE)
    for client, status in ADDRESSES:
        answer = site(Asked(client=client))
        assert (answer.status, shows(answer)) == (status, status == 200), client


CLAIMS = [
    [b"10.1.2.3"], [b"10.1.2.3", b"10.1.2.3"], [b"::ffff:10.1.2.3"], [b"[2001:db8::7]:1"],
    [b"fe80::1%lo"], [b"127.0.0.1"],
]  # fmt: skip
HEADERS = [
    "X-Forwarded-For",
    "X-Real-IP",
    "Forwarded",
    "Client-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X-Forwarded",
]


def test_nobody_is_believed_about_an_address_unless_a_setting_says_so(opened: Open) -> None:
    site = opened(**INSIDE)
    for name, claims in product(HEADERS, CLAIMS):
        answer = site(Asked(headers=[(name, claim) for claim in claims], client="192.0.2.1"))
        assert refused(answer, 403), (name, claims)


FORWARDED = [
    ([b"10.1.2.3"], 200), ([b"8.8.8.8", b"10.1.2.3"], 200), ([b"10.1.2.3", b"192.0.2.7, 192.0.2.8"], 200),
    ([b"10.1.2.3", b"2001:db8:ffff::1"], 200), ([b"10.1.2.3", b"8.8.8.8"], 403), ([b"10.1.2.3, 8.8.8.8",
    b"192.0.2.9"], 403),
    ([b"10.1.2.3", b"8.8.8.8", b"192.0.2.9"], 403), ([b"10.1.2.3", b"unknown"], 403), ([b"10.1.2.3",
    b"\xff\xfe"], 403),
    ([b"10.1.2.3", b"'; drop table"], 403), ([b"10.1.2.3, 8.8.8.8\x00"], 403), ([b"10.1.2.3;8.8.8.8"], 403),
    ([b"8.8.8.8", b","], 403), ([b"10.1.2.3, " * 50_000 + b"8.8.8.8"], 403), ([b"8" * 1_000_000], 403),
    ([b"", b""], 403),
]  # fmt: skip


def test_of_a_trusted_proxy_the_last_stranger_of_all_its_headers_counts(opened: Open) -> None:
    site = opened(**BEHIND)
    for claims, status in FORWARDED:
        answer = site(Asked(headers=[("X-Forwarded-For", claim) for claim in claims]))
        assert (answer.status, shows(answer)) == (status, status == 200), claims[-1][:80]


def many(element: bytes, times: int = 100_000) -> bytes:
    return b",".join([element] * times)


ABUSE = [
    Asked(query="&".join(f"name[]=n{number}" for number in range(5000))),
    Asked(query="name[]=" + "x" * 10_000_000),
    Asked(query="&" * 8000), Asked(query="name[]&" * 1000), Asked(query="name%5B%5D=%ff%00%&" * 400),
    Asked(headers=[("Accept", many(b"text/plain;q=0.1"))]), Asked(headers=[("Accept",
    many(b"a/b;q=" + b"9" * 50))]),
    Asked(headers=[("Accept", b"text/plain" + b";q=0" * 300_000)]), Asked(headers=[("Accept",
    b"," * 1_000_000)]),
    Asked(headers=[("Accept", b"text/plain;q=" + b"9" * 1_000_000)]), Asked(headers=[("Accept",
    b"\xff\xfe;q=\xb2")]),
    Asked(headers=[("Accept-Encoding", many(b"gzip;q=0.5"))]), Asked(headers=[("Accept-Encoding",
    b"gzip;q=1e999")]),
    Asked(headers=[("Accept-Encoding", b"gzip" + b";q=nan" * 300_000)]),
    Asked(headers=[("Accept-Encoding", b"\xff;=;q")]),
    Asked(headers=[("Accept-Encoding", many(b"*;q=0") + b",gzip")]),
]  # fmt: skip


def test_an_abusive_request_costs_little_and_fails_nothing(opened: Open) -> None:
    site = opened()
    site(Asked())
    for asked in ABUSE:
        began = time.process_time()
        answer = site(asked)
        assert answer.status in (200, 400), (asked.query[:80], answer)
        assert time.process_time() - began < 2, (asked.query[:80], str(asked.headers)[:80])
    assert shows(site(Asked()))


def test_on_a_port_of_its_own_all_headers_of_a_name_count_as_well() -> None:
    networks = (ipaddress.ip_network("127.0.0.0/8"),)
    number, answer = free_port(), b""
    port = DedicatedPort(number, "/metrics", page(allow=networks, trusted_proxies=networks), ErrorReporter())
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
