"""What every integration records if the settings ask for more, or for less."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dualmetrics import current_request, exclude_from_metrics
from dualmetrics.http.current_request import DETAILED_REQUESTS
from dualmetrics.testing.recorded import Recorded, RequestLabels
from dualmetrics.testing.site import HANDLER_ERROR_TYPE, SECONDS, Actions, Site


def with_settings(**settings: Any) -> Callable[[Any], Any]:
    """Run a case once, with a Telemetry that has these settings and both conventions."""
    return pytest.mark.parametrize(
        ("telemetry", "settings"), [pytest.param("both", settings, id="both")], indirect=["telemetry"]
    )


class DetailContract:
    """The cases of `HttpContract` about settings for single requests."""

    user_route: str
    item_route: str
    status_route: str

    @with_settings(body_size=True, time_to_first_byte=True, attributes={"tenant": ["a", "b"]})
    def test_more_is_recorded_if_settings_ask_for_it(
        self, site: Site, recorded: Recorded, actions: Actions
    ) -> None:
        """Sizes, the first byte, and what a handler says of its request, whichever thread it runs in."""
        actions.in_handler = lambda: current_request().set(tenant="a")
        body = site.request("GET", "/users/1").body
        actions.in_handler = lambda: current_request().set(tenant="z", unknown="x")
        site.request("GET", "/api/v1/items/1")
        assert site.request("GET", "/stream").body == b"abc"
        current_request().set(tenant="b")  # outside of a request it does nothing
        assert recorded.values("tenant") == {self.user_route: "a", self.item_route: "_OTHER", "/stream": None}
        for prefix in ("http", "http.server"):
            sizes = recorded.sums(f"{prefix}.response.body.size")
            assert (sizes[self.user_route], sizes["/stream"]) == (len(body), 3)
            assert recorded.sums(f"{prefix}.request.body.size")["/stream"] == 0
        first_byte = recorded.sums("http.server.request.time_to_first_byte")
        assert 0 <= first_byte["/stream"] <= SECONDS

    @with_settings(exclude_routes=("/users/*", "/stream"), exclude_regex=r"^/status/2\d\d$")
    def test_routes_and_expressions_are_excluded(self, site: Site, recorded: Recorded) -> None:
        """Requests of excluded routes, and paths that a regular expression finds, are not recorded."""
        for path in ("/users/1", "/stream", "/status/204", "/status/404"):
            site.request("GET", path)
        assert recorded.counts() == {RequestLabels("GET", self.status_route, 404): 1}
        assert recorded.active() == {}

    @with_settings(grouped_status=True, classic_error_type=True)
    def test_status_is_grouped_and_errors_are_named(self, site: Site, recorded: Recorded) -> None:
        """Statuses may be recorded by their first digit, and classes of exceptions in ``classic`` too."""
        for path in ("/status/404", "/status/418", "/boom"):
            site.request("GET", path)
        assert recorded.counts() == {
            RequestLabels("GET", self.status_route, "4xx"): 2,
            RequestLabels("GET", "/boom", "5xx"): 1,
        }
        for name in ("http.requests", "http.server.request.duration"):
            assert recorded.values("error.type", name)["/boom"] == HANDLER_ERROR_TYPE

    @with_settings(route_buckets={"/stream": (0.25, 1.0)})
    def test_a_route_may_have_buckets_of_its_own(self, site: Site, recorded: Recorded) -> None:
        """The duration of one route is recorded in other buckets than that of all others."""
        site.request("GET", "/stream")
        site.request("GET", "/users/1")
        assert recorded.bounds("http.server.request.duration")["/stream"] == (0.25, 1.0)
        assert recorded.bounds("http.request.duration")["/stream"] == (250.0, 1000.0)
        assert len(recorded.bounds("http.request.duration")[self.user_route]) > 2

    @with_settings(active_by_route=True)
    def test_active_requests_have_a_route(self, site: Site, recorded: Recorded, actions: Actions) -> None:
        """A request is active with its route while it runs, and no longer after it."""
        site.request("GET", "/users/1")
        assert actions.active_during_request == [{"GET": 1}]
        assert actions.active_routes == [{self.user_route}]
        assert recorded.active() == {}

    @with_settings()
    def test_a_handler_may_be_excluded(
        self, site: Site, recorded: Recorded, actions: Actions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The requests of a decorated handler are not recorded, whenever it was decorated."""
        monkeypatch.setattr(DETAILED_REQUESTS, "are_wanted", False)
        actions.in_handler = exclude_from_metrics(lambda: None)
        assert site.request("GET", "/users/1").status == 200
        site.request("GET", "/status/200")
        assert recorded.counts() == {RequestLabels("GET", self.status_route, 200): 1}
        assert recorded.active() == {}
