"""The table *HTTP semantics* of the design: what every integration records, in every convention."""

from __future__ import annotations

import pytest

from dualmetrics.http.semantic_conventions import METHODS
from dualmetrics.testing.recorded import Request
from dualmetrics.testing.site import BOOM, SECONDS, Site, World


def test_the_route_is_the_template(site: Site, world: World) -> None:
    for user in range(20):
        assert site.request("GET", f"/users/{user}") == 200
    assert world.recorded.counts() == {Request("GET", site.users, 200): 20}


def test_the_template_has_the_prefix_of_its_blueprint_router_or_mount(site: Site, world: World) -> None:
    assert site.request("GET", "/api/v1/items/7") == 200
    assert world.recorded.counts() == {Request("GET", site.items, 200): 1}


def test_whatever_matches_nothing_is_one_series(site: Site, world: World) -> None:
    for path in ("/nowhere", "/users", "/api/v1/items", "/api", "/.env", "/%2e%2e/x", "/users/1/2"):
        assert site.request("GET", path) == 404
    assert world.recorded.counts() == {Request("GET", "unmatched", 404): 7}


def test_a_405_is_counted_without_a_route(site: Site, world: World) -> None:
    for path in ("/users/1", "/api/v1/items/1", "/folder/"):
        assert site.request("DELETE", path) == 405
    assert world.recorded.counts() == {Request("DELETE", "unmatched", 405): 3}


def test_a_slash_redirect_is_counted_without_a_route(site: Site, world: World) -> None:
    status = site.request("GET", "/folder")
    assert status == (site.redirect or 404)
    assert world.recorded.counts() == {Request("GET", "unmatched", status): 1}


def test_a_404_of_the_handler_keeps_its_template(site: Site, world: World) -> None:
    assert site.request("GET", "/users/missing") == 404
    assert world.recorded.counts() == {Request("GET", site.users, 404): 1}


@pytest.mark.parametrize("method", sorted(METHODS - {"GET", "HEAD", "OPTIONS"}))
def test_known_methods_are_named(site: Site, world: World, method: str) -> None:
    assert site.request(method, "/users/1") == 405
    assert world.recorded.counts() == {Request(method, "unmatched", 405): 1}


def test_other_methods_and_other_spellings_are_one(site: Site, world: World) -> None:
    for method in ("PROPFIND", "get", "Get", "X" * 100, "WEBSOCKET", "_OTHER"):
        site.request(method, "/nowhere")
    (labels,) = world.recorded.counts()
    assert (labels.method, labels.route) == ("_OTHER", "unmatched")
    assert world.recorded.counts()[labels] == 6


@pytest.mark.parametrize("status", [200, 204, 302, 404, 418, 499, 500, 503, 599])
def test_the_status_is_the_one_that_was_sent(site: Site, world: World, status: int) -> None:
    assert site.request("GET", f"/status/{status}") == status
    assert world.recorded.counts() == {Request("GET", site.status, status): 1}


@pytest.mark.parametrize("status", [600, 999])
def test_statuses_out_of_range_are_one(site: Site, world: World, status: int) -> None:
    site.request("GET", f"/status/{status}")
    assert world.recorded.counts() == {Request("GET", site.status, "_OTHER"): 1}


def test_an_exception_before_the_start_is_a_500_and_keeps_the_route(site: Site, world: World) -> None:
    assert site.request("GET", "/boom") == 500
    assert world.recorded.counts() == {Request("GET", "/boom", 500): 1}
    assert world.recorded.errors() == ({BOOM} if world.recorded.semconv else set())


def test_an_exception_after_the_start_keeps_the_status_that_was_sent(site: Site, world: World) -> None:
    site.request("GET", "/broken")
    assert world.recorded.counts() == {Request("GET", "/broken", 200): 1}
    assert world.recorded.errors() == ({BOOM} if world.recorded.semconv else set())
    assert world.recorded.active() == {}


def test_a_500_without_an_exception_is_its_own_error_type(site: Site, world: World) -> None:
    site.request("GET", "/status/503")
    site.request("GET", "/status/404")
    assert world.recorded.errors() == ({"503"} if world.recorded.semconv else set())


def test_the_duration_ends_with_the_last_byte(site: Site, world: World) -> None:
    assert site.body("GET", "/stream") == b"abc"
    assert world.recorded.seconds() == {Request("GET", "/stream", 200): 3 * SECONDS}


def test_background_work_does_not_count(site: Site, world: World) -> None:
    before = world.now
    site.request("GET", "/later")
    assert world.now == before + SECONDS
    assert world.recorded.seconds() == {Request("GET", "/later", 200): 0}


def test_a_request_is_active_while_it_runs_and_not_after(site: Site, world: World) -> None:
    site.request("GET", "/users/1")
    assert world.active_inside == [{"GET": 1}]
    assert world.recorded.active() == {}


@pytest.mark.parametrize(
    "path", ["/boom", "/stream", "/broken", "/later", "/nowhere", "/status/500", "/folder"]
)
def test_nothing_stays_active(site: Site, world: World, path: str) -> None:
    site.request("GET", path)
    assert sum(world.recorded.counts().values()) == 1
    assert world.recorded.active() == {}


def test_excluded_paths_are_not_recorded(site: Site, world: World) -> None:
    assert site.request("GET", "/health") == 200
    site.request("GET", "/internal/a")
    site.request("POST", "/internal/b/c")
    assert world.recorded.counts() == {}
    site.request("GET", "/healthy")
    assert world.recorded.counts() == {Request("GET", "unmatched", 404): 1}


def test_the_page_is_answered_and_not_recorded(site: Site, world: World) -> None:
    site.request("GET", "/users/1")
    assert b"http" in site.body("GET", "/metrics")
    assert site.request("GET", "/metrics") == 200
    assert world.recorded.counts() == {Request("GET", site.users, 200): 1}
    assert world.recorded.active() == {}


def test_a_head_of_the_page_has_no_body(site: Site, world: World) -> None:
    site.request("GET", "/users/1")
    assert site.request("HEAD", "/metrics") == 200
    assert site.body("HEAD", "/metrics") == b""


def test_after_a_reset_everything_begins_at_nothing(site: Site, world: World) -> None:
    site.request("GET", "/users/1")
    world.telemetry.reset()
    assert world.recorded.counts() == {}
    site.request("GET", "/users/1")
    assert world.recorded.counts() == {Request("GET", site.users, 200): 1}
    assert world.recorded.active() == {}
