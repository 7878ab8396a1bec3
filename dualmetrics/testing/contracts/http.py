"""What every integration records of HTTP, whatever its protocol: the cases that all contracts share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dualmetrics.asgi.detailed_request
import dualmetrics.asgi.request
import dualmetrics.own_server.detailed_request
import dualmetrics.own_server.served_request
import dualmetrics.wsgi.detailed_request
import dualmetrics.wsgi.request
from dualmetrics import Telemetry
from dualmetrics.middleware import METHODS
from dualmetrics.testing.contracts.details import DetailContract
from dualmetrics.testing.recorded import CONVENTIONS, Recorded, RequestLabels
from dualmetrics.testing.site import EXCLUDE, HANDLER_ERROR_TYPE, SECONDS, Actions, Site

TIMED_MODULES = (
    dualmetrics.asgi.detailed_request,
    dualmetrics.asgi.request,
    dualmetrics.own_server.detailed_request,
    dualmetrics.own_server.served_request,
    dualmetrics.wsgi.detailed_request,
    dualmetrics.wsgi.request,
)
"""The modules that read the clock."""

SETTING_PREFIXES = ("DUALMETRICS_", "OTEL_", "PROMETHEUS_")


class HttpContract(DetailContract):
    """The cases. Each runs under every convention: ``classic``, ``semconv`` and ``both``.

    Do not subclass it for an integration: `AsgiContract` and `WsgiContract` know how to call an app. The
    class attributes are the templates as the framework writes them; override those that it writes
    differently.
    """

    user_route = "/users/{id}"
    item_route = "/api/v1/items/{id}"
    status_route = "/status/{code}"
    slash_redirect: int | None = None
    """The status of the redirect from ``/folder`` to ``/folder/``; None if the framework has none."""
    connect_status = 405
    """The status of a CONNECT to a path. A framework's own server may refuse it in its own way."""
    younger_methods: frozenset[str] = frozenset()
    """Known methods that this version of the framework does not know."""
    unknown_methods: tuple[str, ...] = ("PROPFIND", "get", "Get", "X" * 100, "WEBSOCKET", "_OTHER")
    """Unknown methods that the server hands on to the app."""

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Any:
        """Build the site of `dualmetrics.testing.site`, with the integration, recorded by ``telemetry``."""
        raise NotImplementedError

    def make_site(self, app: Any, actions: Actions) -> Site:
        """Put a client before the app."""
        raise NotImplementedError

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        """More settings of the Telemetry. A case may have some of its own."""
        return {}

    @pytest.fixture(params=CONVENTIONS)
    def telemetry(
        self,
        request: pytest.FixtureRequest,
        settings: dict[str, Any],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> Iterator[Telemetry]:
        """A Telemetry that only serves the page, whatever the environment says."""
        for name in list(os.environ):
            if name.startswith(SETTING_PREFIXES):
                monkeypatch.delenv(name)
        telemetry = Telemetry(
            convention=request.param,
            metrics_exporter="prometheus",
            exclude=EXCLUDE,
            directory=str(tmp_path),
            **settings,
        )
        yield telemetry
        telemetry.shutdown()

    @pytest.fixture
    def recorded(self, telemetry: Telemetry) -> Recorded:
        """What the Telemetry has recorded."""
        return Recorded(telemetry)

    @pytest.fixture
    def actions(self, recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Actions:
        """What the handlers call. The middleware reads its clock from here on."""
        actions = Actions(recorded)
        for module in TIMED_MODULES:
            monkeypatch.setattr(module, "perf_counter", actions.clock)
        return actions

    @pytest.fixture
    def site(self, telemetry: Telemetry, actions: Actions) -> Site:
        """The integration's site, and a client for it."""
        return self.make_site(self.make_app(telemetry, actions), actions)

    def test_route_is_the_template(self, site: Site, recorded: Recorded) -> None:
        """Requests are counted by the template of their route, never by their path."""
        for user in range(20):
            assert site.request("GET", f"/users/{user}").status == 200
        assert recorded.counts() == {RequestLabels("GET", self.user_route, 200): 20}

    def test_template_includes_the_prefix(self, site: Site, recorded: Recorded) -> None:
        """The prefix of a blueprint, router or mount belongs to the template."""
        assert site.request("GET", "/api/v1/items/7").status == 200
        assert recorded.counts() == {RequestLabels("GET", self.item_route, 200): 1}

    def test_unmatched_paths_share_one_series(self, site: Site, recorded: Recorded) -> None:
        """A path that no route matches is counted as ``unmatched``, so clients cannot create series."""
        for path in ("/nowhere", "/users", "/api/v1/items", "/api", "/.env", "/%2e%2e/x", "/users/1/2"):
            assert site.request("GET", path).status == 404
        assert recorded.counts() == {RequestLabels("GET", "unmatched", 404): 7}

    def test_405_has_no_route(self, site: Site, recorded: Recorded) -> None:
        """A 405 by the framework is counted as ``unmatched``, even if the framework knows the template."""
        for path in ("/users/1", "/api/v1/items/1", "/folder/"):
            assert site.request("DELETE", path).status == 405
        assert recorded.counts() == {RequestLabels("DELETE", "unmatched", 405): 3}

    def test_slash_redirect_has_no_route(self, site: Site, recorded: Recorded) -> None:
        """A redirect by the router, or its 404, is counted as ``unmatched``."""
        status = site.request("GET", "/folder").status
        assert status == (self.slash_redirect or 404)
        assert recorded.counts() == {RequestLabels("GET", "unmatched", status): 1}

    def test_404_of_a_handler_keeps_its_route(self, site: Site, recorded: Recorded) -> None:
        """A handler that answers 404 has a route all the same."""
        assert site.request("GET", "/users/missing").status == 404
        assert recorded.counts() == {RequestLabels("GET", self.user_route, 404): 1}

    @pytest.mark.parametrize("method", sorted(METHODS - {"GET", "HEAD", "OPTIONS"}))
    def test_known_methods_are_recorded_by_name(self, site: Site, recorded: Recorded, method: str) -> None:
        """The methods of RFC 9110, ``PATCH`` and ``QUERY`` keep their names."""
        if method in self.younger_methods:
            pytest.skip(f"this version of the framework is older than {method}")
        status = self.connect_status if method == "CONNECT" else 405
        assert site.request(method, "/users/1").status == status
        assert recorded.counts() == {RequestLabels(method, "unmatched", status): 1}

    def test_unknown_methods_share_one_series(self, site: Site, recorded: Recorded) -> None:
        """Any other method is recorded as ``_OTHER``, whatever status it gets. Methods are case-sensitive."""
        for method in self.unknown_methods:
            site.request(method, "/nowhere")
        counts = recorded.counts()
        assert {(labels.method, labels.route) for labels in counts} == {("_OTHER", "unmatched")}
        assert sum(counts.values()) == len(self.unknown_methods)

    @pytest.mark.parametrize("status", [200, 204, 302, 404, 418, 499, 500, 503, 599])
    def test_status_is_the_one_sent(self, site: Site, recorded: Recorded, status: int) -> None:
        """The status is the code that the client received."""
        assert site.request("GET", f"/status/{status}").status == status
        assert recorded.counts() == {RequestLabels("GET", self.status_route, status): 1}

    @pytest.mark.parametrize("status", [600, 999])
    def test_status_out_of_range_is_other(self, site: Site, recorded: Recorded, status: int) -> None:
        """A status outside 100 to 599 is recorded as ``_OTHER``."""
        site.request("GET", f"/status/{status}")
        assert recorded.counts() == {RequestLabels("GET", self.status_route, "_OTHER"): 1}

    def test_exception_before_the_response_is_a_500(self, site: Site, recorded: Recorded) -> None:
        """An unhandled exception is a 500 with its route, and with its type under ``semconv``."""
        assert site.request("GET", "/boom").status == 500
        assert recorded.counts() == {RequestLabels("GET", "/boom", 500): 1}
        assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())

    def test_exception_after_the_start_keeps_the_status(self, site: Site, recorded: Recorded) -> None:
        """An exception while the body is sent cannot change the status that the client already has."""
        site.request("GET", "/broken")
        assert recorded.counts() == {RequestLabels("GET", "/broken", 200): 1}
        assert recorded.error_types() == ({HANDLER_ERROR_TYPE} if recorded.semconv else set())
        assert recorded.active() == {}

    def test_5xx_without_an_exception_is_its_own_error_type(self, site: Site, recorded: Recorded) -> None:
        """Under ``semconv``, ``error.type`` is the status if a handler answers 5xx without raising."""
        site.request("GET", "/status/503")
        site.request("GET", "/status/404")
        assert recorded.error_types() == ({"503"} if recorded.semconv else set())

    def test_duration_ends_with_the_last_byte(self, site: Site, recorded: Recorded) -> None:
        """The duration includes the time that a streamed body takes."""
        assert site.request("GET", "/stream").body == b"abc"
        assert recorded.seconds() == {RequestLabels("GET", "/stream", 200): 3 * SECONDS}

    def test_background_work_is_not_timed(self, site: Site, recorded: Recorded, actions: Actions) -> None:
        """The duration does not include what runs after the response has been sent."""
        before = actions.now
        site.request("GET", "/later")
        assert actions.now == before + SECONDS
        assert recorded.seconds() == {RequestLabels("GET", "/later", 200): 0}

    def test_request_is_active_while_it_runs(self, site: Site, recorded: Recorded, actions: Actions) -> None:
        """A request is active once while its handler runs, and no longer after it."""
        site.request("GET", "/users/1")
        assert actions.active_during_request == [{"GET": 1}]
        assert recorded.active() == {}

    @pytest.mark.parametrize(
        "path", ["/boom", "/stream", "/broken", "/later", "/nowhere", "/status/500", "/folder"]
    )
    def test_no_request_stays_active(self, site: Site, recorded: Recorded, path: str) -> None:
        """Whatever the way a request ends, it is counted once and is no longer active."""
        site.request("GET", path)
        assert sum(recorded.counts().values()) == 1
        assert recorded.active() == {}

    def test_excluded_paths_are_not_recorded(self, site: Site, recorded: Recorded) -> None:
        """Paths of the setting ``exclude`` are served but not recorded."""
        assert site.request("GET", "/health").status == 200
        site.request("GET", "/internal/a")
        site.request("POST", "/internal/b/c")
        assert recorded.counts() == {}
        site.request("GET", "/healthy")
        assert recorded.counts() == {RequestLabels("GET", "unmatched", 404): 1}

    def test_page_is_served_and_not_recorded(self, site: Site, recorded: Recorded) -> None:
        """The metrics page is at ``/metrics``, and scrapes are not recorded as requests."""
        site.request("GET", "/users/1")
        assert b"http" in site.request("GET", "/metrics").body
        assert site.request("GET", "/metrics").status == 200
        assert recorded.counts() == {RequestLabels("GET", self.user_route, 200): 1}
        assert recorded.active() == {}

    def test_head_of_the_page_has_no_body(self, site: Site) -> None:
        """A HEAD request for the page gets the headers alone."""
        site.request("GET", "/users/1")
        assert site.request("HEAD", "/metrics") == (200, b"")

    def test_reset_starts_from_zero(self, site: Site, telemetry: Telemetry, recorded: Recorded) -> None:
        """After `Telemetry.reset`, as between the tests of an app, nothing is left of earlier requests."""
        site.request("GET", "/users/1")
        telemetry.reset()
        assert recorded.counts() == {}
        site.request("GET", "/users/1")
        assert recorded.counts() == {RequestLabels("GET", self.user_route, 200): 1}
        assert recorded.active() == {}
