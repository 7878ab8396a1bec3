"""The pytest plugin in test runs of users: real runs of pytest, each in a process of its own."""

from __future__ import annotations

import pytest

from dualmetrics.cli.otlp_receiver import Receiver
from tests.ports import free_port

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.usefixtures("_own_ini")

SHOP = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from dualmetrics_starlette import DualMetrics
from dualmetrics import Telemetry

def build(**arguments):
    async def show_user(request):
        return PlainTextResponse("user")

    app = Starlette(routes=[Route("/users/{user}", show_user)])
    DualMetrics(app, **arguments)
    return app

app = build()
admin_telemetry = Telemetry(label="admin")
admin = build(telemetry=admin_telemetry)
"""

TESTS = """
import httpx
import pytest
from shop import admin, admin_telemetry, app

@pytest.fixture
def anyio_backend():
    return "asyncio"

def client(app):
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop")

@pytest.mark.anyio
@pytest.mark.parametrize("requests", range(1, 9))
async def test_counts(metrics, requests):
    assert metrics.value("http_requests_total") == 0
    with metrics.delta("http_requests_total", http_route="/users/{user}") as delta:
        async with client(app) as shop, client(admin) as other:
            for user in range(requests):
                await shop.get(f"/users/{user}")
            await other.get("/users/7")
    assert delta.value == requests
    assert metrics.of(admin_telemetry).value("http.requests", http_status_code=200) == 1
"""

FAILING_TESTS = """
from shop import app
from dualmetrics.testing import fetch

def test_value(metrics):
    fetch(app, "GET", "/users/1")
    assert metrics.value("http_requests_total", http_route="/users/{id}") == 1

def test_change(metrics):
    fetch(app, "GET", "/users/1")
    with metrics.delta("http.requests") as delta:
        fetch(app, "GET", "/nowhere")
    assert 2 <= delta.value

def test_typo(metrics):
    metrics.value("http_request_total")
"""


@pytest.fixture
def _own_ini(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    pytester.makeini("[pytest]\nfilterwarnings = error\n")


def test_a_run_that_does_not_use_the_fixture_is_not_changed(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("import pytest\n@pytest.fixture\ndef metrics():\n    return 'their own'\n")
    pytester.makepyfile(
        """
        import sys

        def test_it(metrics):
            assert metrics == "their own"
            assert not {"dualmetrics", "opentelemetry"} & {name.partition(".")[0] for name in sys.modules}
        """
    )
    run = pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    run.assert_outcomes(passed=1)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["", "xdist"])
def test_async_tests_of_two_apps_begin_at_zero(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    port = free_port()
    with Receiver() as receiver:
        for name, value in {
            "DUALMETRICS_DIR": str(pytester.path / "shared"),  # by all processes of xdist
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "1",
            "PROMETHEUS_PORT": str(port),
        }.items():
            monkeypatch.setenv(name, value)
        pytester.makepyfile(shop=SHOP, test_shop=TESTS)
        pytester.runpytest_subprocess(*options).assert_outcomes(passed=8)
        assert receiver.requests == []


def test_a_failure_shows_the_series_that_there_are(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(shop=SHOP, test_shop=FAILING_TESTS)
    run = pytester.runpytest_subprocess()
    run.assert_outcomes(failed=3)
    series = '*  http_requests_total{http_method="GET",http_route="/users/{user}",http_status_code="200"} '
    run.stdout.fnmatch_lines(
        [
            "*assert 0 == 1",
            '*http_requests_total{http_route="/users/{id}"}',
            series.replace("{http_m", "[{]http_m") + "1",
            "*assert 2 <= 1",
            "*the change of http.requests",
            '*  http_requests_total{http_method="GET",http_route="unmatched",http_status_code="404"} 0 -> 1',
            "*LookupError: no metric is called 'http_request_total': did you mean http_requests_total,*",
        ]
    )
    run.stdout.no_fnmatch_line("*reading.py*")
