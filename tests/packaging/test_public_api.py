"""Every documented public name can be imported, and the main ones take the arguments that are documented."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from importlib import metadata

import pytest
from click.testing import CliRunner

import dualmetrics_aiohttp
import dualmetrics_bottle
import dualmetrics_celery
import dualmetrics_django.asgi
import dualmetrics_django.wsgi
import dualmetrics_falcon.asgi
import dualmetrics_falcon.wsgi
import dualmetrics_flask
import dualmetrics_litestar
import dualmetrics_pyramid
import dualmetrics_quart
import dualmetrics_starlette
import dualmetrics_tornado
from dualmetrics import SettingsError, Telemetry, asgi, configure, experiments, wsgi
from dualmetrics.bridges.sdk import MetricReader
from dualmetrics.cli.commands import dualmetrics_command
from dualmetrics.config.options import options_of
from dualmetrics.config.settings import Settings

PUBLIC_NAMES = {
    "dualmetrics": {
        "DeclaredAttribute", "SettingsError", "Telemetry", "configure", "current_request",
        "exclude_from_metrics",
    },
    "dualmetrics.asgi": {
        "MetricsMiddleware", "metrics_app", "set_route",
        "ASGIApp", "CachingRouteNamer", "Message", "Receive", "RouteNamer", "Scope", "Send", "answer_scrape",
        "set_error", "wrapped_apps", "REST", "is_recorded_by", "note_scopes", "paced_chunks",
    },
    "dualmetrics.wsgi": {
        "MetricsMiddleware", "metrics_app", "set_route",
        "Environ", "RouteNamer", "answer_scrape", "is_recorded_by", "may_be_nested", "note_request",
        "set_error",
    },
    "dualmetrics.middleware": {
        "METHODS", "MiddlewareOptions", "ScrapeResponse", "SettingsError", "error_type", "note_seen",
        "readable_regex", "route_taken_error", "serves_page", "telemetry_for", "warn_if_bypassed",
        "warn_of_hidden_route",
    },
    "dualmetrics.own_server": {
        "CLIENT_GONE", "DetailedServedRequest", "Requests", "SMALL_BODY_BYTES", "ServedRequest",
        "answer_scrape", "exclude", "run_in_thread", "tell_error", "tell_route",
    },
    "dualmetrics.experiments": {
        "Comparison", "ExperimentError", "Gate", "InvalidExperimentError", "Margins", "Names", "Pages",
        "Plan", "Prometheus", "Question", "RampStep", "TooEarlyError", "UnreachableError", "UsageError",
        "Variants", "Verdict", "Window", "compare", "compare_variants", "host_spec", "parse_histogram",
        "parse_ratio", "plan",
    },
    "dualmetrics.testing": {
        "Actions", "AsgiContract", "HandlerError", "HttpContract", "Recorded", "RequestLabels", "Response",
        "Site", "WsgiContract", "fetch",
        "Delta", "Metrics", "isolated",
    },
    "dualmetrics_pytest": {"metrics"},
    "dualmetrics.task_queues": {"OTHER_QUEUE", "Task", "TaskMetrics"},
    "dualmetrics_celery": {"DualMetrics"},
    "dualmetrics_rq": {"MetricsMixin", "SimpleWorker", "Worker"},
    "dualmetrics_django.asgi": {"DualMetrics", "routes", "set_route"},
    "dualmetrics_django.wsgi": {"DualMetrics", "set_route"},
    "dualmetrics_aiohttp": {"DualMetrics", "set_route"},
    "dualmetrics_quart": {"DualMetrics", "routes", "set_route"},
    "dualmetrics_litestar": {"DualMetrics", "routes", "set_route"},
    "dualmetrics_falcon.asgi": {"DualMetrics", "routes", "set_route"},
    "dualmetrics_falcon.wsgi": {"DualMetrics", "set_route"},
    "dualmetrics_bottle": {"DualMetrics", "set_route"},
    "dualmetrics_pyramid": {"DualMetrics", "includeme", "set_route"},
    "dualmetrics_tornado": {"DualMetrics", "set_route"},
    "dualmetrics_flask": {"DualMetrics", "set_route"},
    "dualmetrics_starlette": {"DualMetrics", "routes", "set_route"},
}  # fmt: skip
"""The names in each public module's ``__all__``; the second lines of asgi and wsgi are for integrations."""

PARAMETERS: dict[Callable[..., object], list[str]] = {
    configure: ["**settings"],
    Telemetry: ["label=", "**settings"],
    Telemetry.meter: ["self", "name", "version"],
    Telemetry.observe_once_per_group: [
        "self", "name", "callback", "kind=", "unit=", "description=", "meter=",
    ],
    Telemetry.bridge: ["self", "source"],
    Telemetry.snapshot: ["self"],
    Telemetry.render: ["self", "accept"],
    Telemetry.force_flush: ["self", "timeout"],
    Telemetry.shutdown: ["self", "timeout"],
    Telemetry.reset: ["self"],
    asgi.MetricsMiddleware: ["app", "telemetry=", "route_namer=", "serve_metrics=", "**settings"],
    asgi.metrics_app: ["telemetry"],
    asgi.set_route: ["scope", "template"],
    wsgi.MetricsMiddleware: ["app", "telemetry=", "route_namer=", "serve_metrics=", "**settings"],
    wsgi.metrics_app: ["telemetry"],
    wsgi.set_route: ["environ", "template"],
    dualmetrics_django.asgi.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_django.wsgi.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_aiohttp.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_quart.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_litestar.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_falcon.asgi.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_falcon.wsgi.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_bottle.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_celery.DualMetrics: ["app", "telemetry=", "**settings"],
    dualmetrics_pyramid.DualMetrics: ["config", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_tornado.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_flask.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    dualmetrics_flask.DualMetrics.init_app: ["self", "app"],
    dualmetrics_starlette.DualMetrics: ["app", "telemetry=", "serve_metrics=", "**settings"],
    MetricReader: ["telemetry"],
    experiments.compare: ["source", "window", "question", "experiment"],
    experiments.compare_variants: ["source", "window", "question", "variants", "experiment"],
    experiments.plan: [
        "rate", "error_ratio", "margin=", "slower=", "split=", "spread=", "phi=", "alpha=", "power=",
    ],
    experiments.Pages: ["urls", "headers"],
    experiments.Prometheus: ["url", "experiment", "headers=", "experiment_label=", "variant_label="],
    experiments.Window: ["start", "end", "until"],
}  # fmt: skip
"""The parameters of the main names in order; ``=`` marks those that are given by keyword only."""

ENTRY_POINTS = {
    ("console_scripts", "dualmetrics"): "main",
    ("opentelemetry_meter_provider", "dualmetrics"): "global_meter_provider",
    ("pytest11", "dualmetrics"): "dualmetrics_pytest",
    ("opentelemetry_pre_instrument", "dualmetrics"): "silence_enabled",
    **{
        ("opentelemetry_instrumentor", f"dualmetrics_{name.lower()}"): f"{name}Instrumentor"
        for name in (
            "Aiohttp",
            "Bottle",
            "Connexion",
            "Django",
            "Falcon",
            "Flask",
            "Litestar",
            "Pyramid",
            "Quart",
            "Starlette",
            "Tornado",
        )
    },
    ("dualmetrics_routes", "connexion"): "routes",
    ("dualmetrics_routes", "django"): "routes",
    ("dualmetrics_routes", "quart"): "routes",
    ("dualmetrics_routes", "litestar"): "routes",
    ("dualmetrics_routes", "falcon"): "routes",
    ("dualmetrics_routes", "starlette"): "routes",
}

COMMANDS = ["compare", "demo", "experiment", "plan", "receive", "run"]

DOCUMENTED_SETTINGS = {
    "service_name", "service_version", "metrics_exporter", "prometheus_path", "prometheus_port", "endpoint",
    "protocol", "headers", "export_interval",
}  # fmt: skip
"""The arguments that the documentation of `configure` names; README's table has all of them."""


def parameters_of(function: Callable[..., object]) -> list[str]:
    """The names of the parameters as `PARAMETERS` writes them."""
    return [written(parameter) for parameter in inspect.signature(function).parameters.values()]


def written(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return f"**{parameter.name}"
    return f"{parameter.name}=" if parameter.kind is parameter.KEYWORD_ONLY else parameter.name


@pytest.mark.parametrize("module", PUBLIC_NAMES)
def test_a_public_module_exports_exactly_the_documented_names(module: str) -> None:
    imported = importlib.import_module(module)
    assert set(imported.__all__) == PUBLIC_NAMES[module]
    assert all(hasattr(imported, name) for name in imported.__all__)


@pytest.mark.parametrize("name", PARAMETERS, ids=lambda name: f"{name.__module__}.{name.__qualname__}")
def test_a_public_name_takes_the_documented_parameters(name: Callable[..., object]) -> None:
    assert parameters_of(name) == PARAMETERS[name]


def test_configure_takes_the_documented_settings() -> None:
    assert options_of(Settings).keys() >= DOCUMENTED_SETTINGS


@pytest.mark.parametrize("name", ["meter_provider", "server_metrics", "settings"])
def test_a_telemetry_has_the_documented_attributes(name: str) -> None:
    telemetry = Telemetry(metrics_exporter="prometheus")
    assert getattr(telemetry, name) is not None
    telemetry.shutdown()


def test_a_bad_setting_raises_a_value_error() -> None:
    assert issubclass(SettingsError, ValueError)


def test_the_entry_points_lead_to_their_functions() -> None:
    announced = {
        (point.group, point.name): point.load().__name__
        for point in metadata.distribution("dualmetrics").entry_points
    }
    assert announced == ENTRY_POINTS


@pytest.mark.parametrize("name", COMMANDS)
def test_the_command_line_has_the_documented_commands(name: str) -> None:
    result = CliRunner().invoke(dualmetrics_command, [name, "--help"], prog_name="dualmetrics")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: dualmetrics {name} ")


def test_the_command_line_has_no_other_command() -> None:
    assert dualmetrics_command.list_commands(None) == COMMANDS  # type: ignore[arg-type]  # the context is not used
