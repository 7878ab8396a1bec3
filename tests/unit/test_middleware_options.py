"""Middleware and integrations take the same options, check their types, and understand their old names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from starlette.applications import Starlette

import dualmetrics.asgi
import dualmetrics.wsgi
import dualmetrics_flask
import dualmetrics_starlette
from dualmetrics import Telemetry
from tests.unit.asgi.apps import hello

MIDDLEWARE: list[Callable[..., Any]] = [
    lambda **options: dualmetrics.asgi.MetricsMiddleware(hello, **options),
    lambda **options: dualmetrics.wsgi.MetricsMiddleware(Flask("app"), **options),
]
INTEGRATIONS: list[Callable[..., Any]] = [
    lambda **options: dualmetrics_starlette.DualMetrics(Starlette(), **options),
    lambda **options: dualmetrics_flask.DualMetrics(Flask("app"), **options),
]


@pytest.fixture
def telemetry(tmp_path: Path) -> Iterator[Telemetry]:
    telemetry = Telemetry(metrics_exporter="prometheus", directory=str(tmp_path))
    yield telemetry
    telemetry.shutdown()


@pytest.mark.parametrize("make", MIDDLEWARE + INTEGRATIONS)
@pytest.mark.parametrize("value", ["no", 0, None, "/metrics"])
def test_a_wrong_type_of_serve_metrics_is_refused(
    telemetry: Telemetry, make: Callable[..., Any], value: object
) -> None:
    with pytest.raises(TypeError, match=f"serve_metrics={value!r}: allowed are True and False"):
        make(telemetry=telemetry, serve_metrics=value)


@pytest.mark.parametrize("make", MIDDLEWARE)
@pytest.mark.parametrize("value", ["/users", True, 1])
def test_a_wrong_type_of_route_namer_is_refused(
    telemetry: Telemetry, make: Callable[..., Any], value: object
) -> None:
    with pytest.raises(TypeError, match=f"route_namer={value!r}: allowed is a function"):
        make(telemetry=telemetry, route_namer=value)


@pytest.mark.parametrize("make", INTEGRATIONS)
def test_an_integration_takes_no_route_namer(telemetry: Telemetry, make: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="route_namer"):
        make(telemetry=telemetry, route_namer=lambda *arguments: None)


@pytest.mark.parametrize("make", MIDDLEWARE + INTEGRATIONS)
@pytest.mark.parametrize("old", ["route", "answer"])
def test_the_old_name_of_serve_metrics_is_understood_with_a_warning(
    telemetry: Telemetry, make: Callable[..., Any], old: str
) -> None:
    with pytest.warns(DeprecationWarning, match=f"{old}=False is now serve_metrics=False") as warnings:
        make(telemetry=telemetry, **{old: False})
    assert [warning.filename for warning in warnings] == [__file__]


@pytest.mark.parametrize("make", MIDDLEWARE)
def test_the_old_name_of_route_namer_is_understood_with_a_warning(
    telemetry: Telemetry, make: Callable[..., Any]
) -> None:
    with pytest.warns(DeprecationWarning, match="route=.* is now route_namer="):
        make(telemetry=telemetry, route=lambda *arguments: "/named")


@pytest.mark.parametrize("make", MIDDLEWARE + INTEGRATIONS)
@pytest.mark.parametrize("old", ["route", "answer"])
def test_a_wrong_type_under_an_old_name_is_refused(
    telemetry: Telemetry, make: Callable[..., Any], old: str
) -> None:
    with (
        pytest.warns(DeprecationWarning, match=f"{old}="),
        pytest.raises(TypeError, match="serve_metrics='/users': allowed are True and False"),
    ):
        make(telemetry=telemetry, **{old: "/users"})
