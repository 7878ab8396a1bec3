"""A program of a user that uses every public name.

mypy and pyright check it, both strictly and against the installed wheel. It is never run. The annotations
must accept it. Each line that they must reject has an ignore, and both report an ignore that is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import FastAPI
from flask import Flask
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
from starlette.applications import Starlette
from starlette.middleware import Middleware

import dualmetrics_flask
import dualmetrics_starlette
from dualmetrics import (
    DeclaredAttribute,
    SettingsError,
    Telemetry,
    asgi,
    configure,
    current_request,
    exclude_from_metrics,
    middleware,
    wsgi,
)
from dualmetrics.testing import Actions, AsgiContract, WsgiContract

try:
    telemetry: Telemetry = configure(
        service_name="shop",
        service_version="1.0",
        metrics_exporter="prometheus,otlp",
        prometheus_path="/metrics",
        prometheus_port=9464,
        endpoint="http://127.0.0.1:4318",
        protocol="http/protobuf",
        headers={"api-key": "secret"},
        export_interval=10_000,
    )
except SettingsError as error:
    raise SystemExit(str(error)) from error

isolated = Telemetry(service_name="other", label="other")

# The recording

meter: Meter = telemetry.meter("shop")
provider: MeterProvider = telemetry.meter_provider
meter.create_counter("orders", "{order}", "Orders taken").add(1, {"kind": "book"})


def stock(options: CallbackOptions) -> Iterable[Observation]:
    yield Observation(7, {"kind": "book"})


telemetry.observe_once_per_group("stock", stock, kind="gauge", unit="{item}", description="Items in stock")
names: list[str] = [family.descriptor.name for family in telemetry.snapshot().families]
rendered: tuple[str, bytes] = telemetry.render("text/plain")
pushed: bool = telemetry.force_flush(1.5)
ended: bool = telemetry.shutdown(timeout=1.5)
telemetry.reset()

# What is recorded of a request


def plan_of(scope: asgi.Scope) -> str | None:
    return "pro" if scope["query_string"] else None


Telemetry(attributes=[DeclaredAttribute("plan", ["pro"], header="X-Plan", value_of=plan_of)], body_size=True)
DeclaredAttribute("plan")  # type: ignore[call-arg]
current_request().set({"app.tenant": "a"}, tenant="b")


@exclude_from_metrics
def health(user: int) -> str:
    return "fine"


exclude_from_metrics(7)  # type: ignore[type-var]
health("user")  # type: ignore[arg-type]

# Flask, and any WSGI app

flask_app = Flask("shop")
dualmetrics_flask.DualMetrics(flask_app)
extension = dualmetrics_flask.DualMetrics(telemetry=isolated, serve_metrics=False)
extension.init_app(flask_app)
wrapped_flask = wsgi.MetricsMiddleware(flask_app.wsgi_app, telemetry=isolated)
wsgi_page = wsgi.metrics_app(telemetry)

# Starlette, FastAPI, and any ASGI app

starlette_app = Starlette(middleware=[Middleware(asgi.MetricsMiddleware, service_name="shop")])
dualmetrics_starlette.DualMetrics(starlette_app, telemetry=isolated, serve_metrics=False)
fastapi_app = FastAPI()
dualmetrics_starlette.DualMetrics(fastapi_app)
fastapi_app.add_middleware(asgi.MetricsMiddleware, telemetry=isolated)
fastapi_app.mount("/internal/metrics", asgi.metrics_app(telemetry))
wrapped = asgi.MetricsMiddleware(starlette_app, service_name="shop", convention="semconv")

# An integration of another framework

scope: asgi.Scope = {}
environ: wsgi.Environ = {}
asgi.set_route(scope, "/users/{id}")
wsgi.set_route(environ, "/users/<id>")
asgi.set_error(scope, ValueError())
wsgi.set_error(environ, ValueError())
used: Telemetry = middleware.telemetry_for(None, {"service_name": "shop"})
page: middleware.ScrapeResponse = wsgi.answer_scrape(used, environ)
taken: SettingsError = middleware.route_taken_error(used, "/metrics")
kinds: tuple[bool, str, frozenset[str]] = (
    middleware.serves_page(used),
    middleware.error_type(ValueError()),
    middleware.METHODS,
)


class TestFlask(WsgiContract):
    user_route = "/users/<id>"

    def make_app(self, telemetry: Telemetry, actions: Actions) -> Flask:
        return flask_app


class TestStarlette(AsgiContract):
    def make_app(self, telemetry: Telemetry, actions: Actions) -> Starlette:
        return starlette_app


# What the annotations must reject

wsgi.MetricsMiddleware(wsgi_page, isolated)  # type: ignore[call-arg]
dualmetrics_flask.DualMetrics(starlette_app)  # type: ignore[arg-type]
telemetry.force_flush("soon")  # type: ignore[arg-type]
telemetry.metre("shop")  # type: ignore[attr-defined]
