"""Who may read the page, and who may not."""

from __future__ import annotations

import base64
import hmac
import ipaddress

import pytest

from dualmetrics.config.validators import UNIX, Network
from dualmetrics.scrape.endpoint import ScrapeEndpoint
from tests.pages import body, get, page


def networks(*texts: str) -> tuple[Network, ...]:
    return tuple(UNIX if text == "unix" else ipaddress.ip_network(text) for text in texts)


def basic(text: str, coding: str = "utf-8") -> str:
    return "Basic " + base64.b64encode(text.encode(coding)).decode()


def status(of: ScrapeEndpoint, authorization: str | None = None, **more: str) -> int:
    headers = {} if authorization is None else {"authorization": authorization}
    return get(of, {**headers, **more}).status


def as_received(header: str) -> str:
    """A header as servers pass it on: the bytes that were sent, decoded as Latin-1."""
    return header.encode().decode("latin-1")


@pytest.mark.parametrize("authorization", ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret "])
def test_the_token_opens_the_page(authorization: str) -> None:
    assert status(page(token="s3cret"), authorization) == 200


@pytest.mark.parametrize(
    "authorization",
    [None, "", "s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3crets", "Bearer S3CRET",
     "Basic s3cret", "Bearer s3cret, Bearer s3cret", "Bearers3cret", "Bearer s3\u1234", "Bearer \x00"],
)  # fmt: skip
def test_no_other_header_opens_the_page(authorization: str | None) -> None:
    assert status(page(token="s3cret"), authorization) == 401


@pytest.mark.parametrize("user", ["admin:pass", "admin:with:colons", ":", "jürgen:geheim", "名:前"])
def test_user_and_password_open_the_page(user: str) -> None:
    assert status(page(basic_auth=user), basic(user)) == 200


@pytest.mark.parametrize(
    "authorization",
    [None, basic("admin:other"), basic("admin"), basic("admin:pass "), basic(""), "Basic", "Basic !!!",
     "Basic admin:pass", "Bearer admin:pass", "Digest " + basic("admin:pass")[6:]],
)  # fmt: skip
def test_other_users_and_passwords_do_not_open_the_page(authorization: str | None) -> None:
    assert status(page(basic_auth="admin:pass"), authorization) == 401


def test_a_token_that_is_not_ascii_works_too() -> None:
    assert status(page(token="schlüssel"), as_received("Bearer schlüssel")) == 200
    assert status(page(token="schlüssel"), as_received("Bearer schlussel")) == 401


def test_if_both_are_set_either_is_enough_and_both_are_offered() -> None:
    both = page(token="t", basic_auth="u:p")
    assert status(both, "Bearer t") == status(both, basic("u:p")) == 200
    response = get(both)
    assert response.status == 401
    offered = [value for key, value in response.headers if key.lower() == "www-authenticate"]
    assert [challenge.partition(" ")[0] for challenge in offered] == ["Bearer", "Basic"]


def test_secrets_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    assert status(page(token="t", basic_auth="u:p"), "Bearer t") == 200
    assert len(compared) == 2  # the second although the first fitted


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_no_method_gets_around_the_protection(method: str) -> None:
    assert get(page(token="t"), method=method).status == 401
    assert get(page(allow=networks("10.0.0.0/8")), method=method).status == 403


def test_a_denial_does_not_say_why() -> None:
    refused = get(page(allow=networks("10.0.0.0/8"), token="t"))
    assert (refused.status, body(refused)) == (403, b"")
    assert not any(key.lower() == "www-authenticate" for key, _ in refused.headers)
    assert body(get(page(token="t"))) == b""


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("10.1.2.3", 200),
        ("::ffff:10.1.2.3", 200),
        ("2001:db8::7", 200),
        ("fe80::1%eth0", 200),
        ("11.1.2.3", 403),
        ("::ffff:11.1.2.3", 403),
        ("2001:db9::7", 403),
        ("::10.1.2.3", 403),
        ("", 403),
        (None, 403),
        ("unix", 403),
        ("10.1.2.3.4", 403),
        ("010.1.2.3", 403),
        ("10.1", 403),
        ("0xa010203", 403),
    ],
)
def test_only_the_networks_that_are_allowed_may_read(client: str | None, expected: int) -> None:
    guarded = page(allow=networks("10.0.0.0/8", "2001:db8::/32", "fe80::/10"))
    assert get(guarded, client=client).status == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("10.1.2.3", 200),
        ("10.1.2.3:4711", 200),
        ("[2001:db8::7]:443", 200),
        ("[2001:db8::7]", 200),
        ("2001:db8::7", 200),
        ("::ffff:10.1.2.3", 200),
        ("8.8.8.8, 10.1.2.3", 200),  # 8.8.8.8 is what the client said of itself
        ("10.1.2.3, 192.0.2.9", 200),  # through two proxies
        ("10.1.2.3, 192.0.2.9:80, 192.0.2.8", 200),
        ("10.1.2.3,, ,", 200),
        ("8.8.8.8", 403),
        ("10.1.2.3, 8.8.8.8", 403),  # claimed by the client, who is 8.8.8.8
        ("10.1.2.3, 8.8.8.8, 192.0.2.9", 403),
        ("10.1.2.3, unknown", 403),
        ("10.1.2.3, 8.8.8.8:", 403),
        ("10.1.2.3:port", 403),
        ("[10.1.2.3", 403),
        ("[2001:db8::7]x", 403),
        ("10.1.2.3 8.8.8.8", 403),
        ("_hidden", 403),
        ("192.0.2.9", 403),  # the proxies themselves are not allowed
        ("", 403),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_counts(forwarded: str, expected: int) -> None:
    guarded = page(allow=networks("10.0.0.0/8", "2001:db8::/32"), trusted_proxies=networks("192.0.2.0/24"))
    for proxy in ("192.0.2.1", "::ffff:192.0.2.1"):
        assert get(guarded, {"x-forwarded-for": forwarded}, client=proxy).status == expected


@pytest.mark.parametrize("client", ["8.8.8.8", None, "", "unix"])
@pytest.mark.parametrize("trusted", [(), ("192.0.2.0/24",)])
def test_a_forwarded_address_from_others_is_ignored(client: str | None, trusted: tuple[str, ...]) -> None:
    guarded = page(allow=networks("10.0.0.0/8"), trusted_proxies=networks(*trusted))
    claims = {"x-forwarded-for": "10.1.2.3", "x-real-ip": "10.1.2.3", "forwarded": "for=10.1.2.3"}
    assert get(guarded, claims, client=client).status == 403


def test_a_peer_that_is_no_proxy_is_judged_by_its_own_address() -> None:
    guarded = page(allow=networks("10.0.0.0/8"), trusted_proxies=networks("192.0.2.0/24"))
    assert get(guarded, {"x-forwarded-for": "8.8.8.8"}, client="10.1.2.3").status == 200


@pytest.mark.parametrize("client", [None, ""])
def test_the_word_unix_stands_for_clients_without_an_address(client: str | None) -> None:
    assert get(page(allow=networks("unix")), client=client).status == 200
    assert get(page(allow=networks("10.0.0.0/8", "unix")), client=client).status == 200
    assert get(page(allow=networks("10.0.0.0/8", "unix")), client="10.1.2.3").status == 200


@pytest.mark.parametrize("client", ["8.8.8.8", "unix", "unix:/run/app.sock", "localhost", "-", "::"])
def test_a_client_with_any_other_address_does_not_use_a_unix_socket(client: str) -> None:
    assert get(page(allow=networks("unix")), client=client).status == 403


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [("10.1.2.3", 200), ("8.8.8.8, 10.1.2.3", 200), ("8.8.8.8", 403), ("unix", 403), ("", 403)],
)
def test_a_trusted_proxy_may_use_a_unix_socket(forwarded: str, expected: int) -> None:
    guarded = page(allow=networks("10.0.0.0/8"), trusted_proxies=networks("unix"))
    assert get(guarded, {"x-forwarded-for": forwarded}, client=None).status == expected
    assert get(guarded, {"x-forwarded-for": forwarded}, client="9.9.9.9").status == 403


def test_nobody_can_claim_to_use_a_unix_socket() -> None:
    guarded = page(allow=networks("unix"), trusted_proxies=networks("192.0.2.0/24"))
    for forwarded in ("unix", "", ",", "-"):
        assert get(guarded, {"x-forwarded-for": forwarded}, client="192.0.2.1").status == 403


def test_a_refused_client_without_an_address_is_logged_once_with_the_way_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guarded = page(allow=networks("10.0.0.0/8"))
    for client in ("8.8.8.8", None, None):
        assert get(guarded, client=client).status == 403
    (record,) = caplog.records
    assert "add unix to DUALMETRICS_METRICS_ALLOW" in record.getMessage()


def test_both_the_network_and_the_secret_have_to_match() -> None:
    guarded = page(allow=networks("10.0.0.0/8"), token="t")
    authorized = {"authorization": "Bearer t"}
    assert get(guarded, authorized, client="8.8.8.8").status == 403
    assert get(guarded, client="10.0.0.1").status == 401
    assert get(guarded, authorized, client="10.0.0.1").status == 200


def test_everybody_may_read_an_unprotected_page() -> None:
    assert get(page(), client=None).status == 200
