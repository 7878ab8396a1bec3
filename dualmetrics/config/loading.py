"""Loads the settings from arguments and environment variables.

No other module reads settings from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER

from dualmetrics.config import validators
from dualmetrics.config.options import (
    Option,
    SettingsError,
    check_variables,
    options_of,
    otlp_variables,
    refusal,
    resolve,
    source_of,
)
from dualmetrics.config.settings import Settings
from dualmetrics.runtime.redaction import redacted_url_repr

_METRICS_ENDPOINT = Option(validators.signal_url, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",), redacted_url_repr)
_STABILITY_OPT_IN = Option(validators.stability_opt_in, ("OTEL_SEMCONV_STABILITY_OPT_IN",))
_METRICS_TIMEOUT = "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT"

_READ_BY_OPENTELEMETRY = (
    Option(validators.resource_attributes, ("OTEL_RESOURCE_ATTRIBUTES",)),
    *(
        Option(validators.readable, otlp_variables(name))
        for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
    ),
)
"""Variables that OpenTelemetry reads itself.

They are checked here, because it would ignore a bad value or fail only at the first push.
"""


def load_settings(environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """Return the settings from the arguments and, where these are missing, from the variables in ``environ``.

    ``environ`` is by default the environment of the process. The arguments are the fields of `Settings`. They
    take natural values (lists, mappings, numbers) or the text of the variable, and None means not given.
    ``buckets`` and ``gauge_merge`` may have values for single instruments, as ``"0.1,1;orders=1,10"`` or
    ``{"": [0.1, 1], "orders": [1, 10]}``. An empty variable counts as unset (OpenTelemetry's specification,
    "Environment Variables"). Raises SettingsError for a value that is not allowed, and TypeError for an
    unknown argument.
    """
    environ = os.environ if environ is None else environ
    options = options_of(Settings)
    _check_names(arguments, options)
    check_variables(_READ_BY_OPENTELEMETRY, environ)
    values = resolve(options, environ, arguments)
    _complete_endpoint(values, environ, arguments)
    _add_headers_of_variable(values, options["headers"], environ)
    values.setdefault("convention", _convention_opted_in(environ))
    values["tracer_provider_configured"] = OTEL_PYTHON_TRACER_PROVIDER in environ
    settings = _exclude_own_page(Settings(**values))
    _check_grpc(settings, environ, arguments)
    return settings


def _check_names(arguments: Collection[str], options: Collection[str]) -> None:
    unknown = sorted(set(arguments) - set(options))
    if unknown:
        raise TypeError(f"unknown setting {', '.join(unknown)}; the settings are {', '.join(options)}")


def _complete_endpoint(
    values: dict[str, Any], environ: Mapping[str, str], arguments: Mapping[str, object]
) -> None:
    """Use the endpoint for metrics if it is set, and derive the protocol if none is given."""
    for_metrics = resolve({"endpoint": _METRICS_ENDPOINT}, environ, {})
    if for_metrics and arguments.get("endpoint") is None:
        values.update(for_metrics, endpoint_is_signal=True)
    values.setdefault("protocol", validators.protocol_of(values.get("endpoint")))


def _add_headers_of_variable(values: dict[str, Any], option: Option, environ: Mapping[str, str]) -> None:
    if "headers" in values:
        of_variable = resolve({"headers": option}, environ, {}).get("headers", {})
        values["headers"] = {**of_variable, **values["headers"]}


def _convention_opted_in(environ: Mapping[str, str]) -> str:
    return resolve({"convention": _STABILITY_OPT_IN}, environ, {}).get("convention") or "classic"


def _exclude_own_page(settings: Settings) -> Settings:
    path = settings.prometheus_path
    if "prometheus" not in settings.metrics_exporter or path in settings.exclude:
        return settings
    return replace(settings, exclude=(path, *settings.exclude))


def _check_grpc(settings: Settings, environ: Mapping[str, str], arguments: Mapping[str, object]) -> None:
    """Refuse what would make the official gRPC exporter fail at the first push. Raises SettingsError."""
    if settings.protocol != "grpc" or settings.endpoint is None:
        return
    options = options_of(Settings)
    if settings.compression == "deflate":
        source = source_of("compression", options["compression"], environ, arguments)
        message = refusal(source, "'deflate'", "gzip or none")
    elif "@" in settings.endpoint:
        option = _METRICS_ENDPOINT if settings.endpoint_is_signal else options["endpoint"]
        source = source_of("endpoint", option, environ, arguments)
        message = refusal(source, option.show(settings.endpoint), "a URL without user and password")
    elif not environ.get(_METRICS_TIMEOUT, "10").strip():
        message = refusal(_METRICS_TIMEOUT, "''", "unset or a number of seconds above 0")
    else:
        return
    raise SettingsError(f"{message} if the protocol is grpc")
