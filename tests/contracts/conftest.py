"""The sites that the contract is tested on, each with a Telemetry of its own in each convention."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

import dualmetrics.asgi.request
import dualmetrics.wsgi.request
from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import CONVENTIONS
from dualmetrics.testing.site import Site, World
from tests.contracts import asgi_sites, wsgi_sites
from tests.contracts.asgi_sites import AsgiSite
from tests.contracts.wsgi_sites import WsgiSite

ASGI = (asgi_sites.plain_asgi, asgi_sites.starlette, asgi_sites.fastapi)
S = TypeVar("S", bound=Site)
WSGI = (wsgi_sites.plain_wsgi, wsgi_sites.flask)


@pytest.fixture(params=CONVENTIONS)
def telemetry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Telemetry]:
    """One that exports to the page alone."""
    made = Telemetry(
        convention=request.param,
        metrics_exporter="prometheus",
        exclude="/health,/internal/*",
        directory=str(tmp_path),
    )
    yield made
    made.shutdown()


@pytest.fixture(params=ASGI, ids=lambda build: build.__name__)
def asgi_site(
    request: pytest.FixtureRequest, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> AsgiSite:
    build: Callable[[Telemetry], AsgiSite] = request.param
    return _on_its_clock(build(telemetry), monkeypatch)


@pytest.fixture(params=WSGI, ids=lambda build: build.__name__)
def wsgi_site(
    request: pytest.FixtureRequest, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> WsgiSite:
    build: Callable[[Telemetry], WsgiSite] = request.param
    return _on_its_clock(build(telemetry), monkeypatch)


@pytest.fixture(params=ASGI + WSGI, ids=lambda build: build.__name__)
def site(request: pytest.FixtureRequest, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch) -> Site:
    build: Callable[[Telemetry], Site] = request.param
    return _on_its_clock(build(telemetry), monkeypatch)


@pytest.fixture
def world(site: Site) -> World:
    return site.world


def _on_its_clock(site: S, monkeypatch: pytest.MonkeyPatch) -> S:
    for module in (dualmetrics.asgi.request, dualmetrics.wsgi.request):
        monkeypatch.setattr(module, "perf_counter", site.world.clock)
    return site
