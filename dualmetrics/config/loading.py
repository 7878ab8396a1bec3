"""Loads the settings from arguments and environment variables.

No other module reads settings from the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER

from dualmetrics.config import endpoints, validators
from dualmetrics.config.doubtful_values import warn_of_milliseconds
from dualmetrics.config.exporter_names import read_exporter_names
from dualmetrics.config.options import Given, Option, Warn, options_of, refuse_or_ignore, resolve
from dualmetrics.config.settings import Settings
from dualmetrics.config.unknown_names import check_arguments, warn_of_unknown_variables
from dualmetrics.runtime.errors import logger, warn_once
from dualmetrics.runtime.redaction import redacted_url_repr

_METRICS_ENDPOINT = Option(endpoints.signal_url, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",), redacted_url_repr)
_STABILITY_OPT_IN = Option(validators.stability_opt_in, ("OTEL_SEMCONV_STABILITY_OPT_IN",))


def load_settings(environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
    """Return the settings from the arguments and, where these are missing, from the variables in ``environ``.

    ``environ`` is by default the environment of the process. The arguments are the fields of `Settings`. They
    take natural values (lists, mappings, numbers) or the text of the variable, and None means not given.
    ``buckets`` and ``gauge_merge`` may have values for single instruments, as ``"0.1,1;orders=1,10"`` or
    ``{"": [0.1, 1], "orders": [1, 10]}``. An empty variable counts as unset, unless it is to protect the
    page.

    Raises SettingsError for a value that is not allowed, and TypeError for an unknown argument.
    OpenTelemetry's variables are treated as its specification says: a bad one is ignored, with a warning.
    What is said about the environment of the process is logged once.
    """
    warn: Warn = warn_once if environ is None else logger.warning
    environ = os.environ if environ is None else environ
    options = options_of(Settings)
    check_arguments(arguments, options)
    warn_of_unknown_variables(environ, options, warn)
    given = resolve(options, environ, arguments, warn)
    read_exporter_names(given, warn)
    is_signal = _choose_endpoint(given, _endpoints(given, environ, arguments, warn), warn)
    _check_compression(given, warn)
    warn_of_milliseconds(given, warn)
    values = {name: item.value for name, item in given.items()}
    values.setdefault("convention", _convention_opted_in(environ, warn))
    provider_configured = OTEL_PYTHON_TRACER_PROVIDER in environ
    return _exclude_own_page(
        Settings(**values, endpoint_is_signal=is_signal, tracer_provider_configured=provider_configured)
    )


def _endpoints(
    given: Mapping[str, Given], environ: Mapping[str, str], arguments: Mapping[str, object], warn: Warn
) -> Iterator[tuple[Given, bool]]:
    """The endpoints that are given, and for each whether it is for metrics alone: it is used unchanged."""
    if arguments.get("endpoint") is None:
        for one in resolve({"endpoint": _METRICS_ENDPOINT}, environ, {}, warn).values():
            yield one, True
    if "endpoint" in given:
        yield given["endpoint"], False


def _choose_endpoint(given: dict[str, Given], candidates: Iterator[tuple[Given, bool]], warn: Warn) -> bool:
    """Choose the first endpoint that the protocol allows, and the protocol by its port if none is given.

    Return whether it is one for metrics alone.
    """
    for endpoint, is_signal in [*candidates]:
        protocol = given.get("protocol") or Given(endpoints.protocol_of(endpoint.value), endpoint.source)
        allowed = _allowed_endpoint(endpoint.value, protocol.value)
        if not allowed:
            given.update(endpoint=endpoint, protocol=protocol)
            return is_signal
        refuse_or_ignore(endpoint, redacted_url_repr(endpoint.value), allowed, warn)
    given.pop("endpoint", None)
    return False


def _allowed_endpoint(endpoint: str, protocol: str) -> str:
    """Return what an endpoint must be for this protocol; nothing if it is that."""
    if protocol != "grpc":
        return "" if endpoints.is_url(endpoint) else f"{endpoints.URL_WORDS} if the protocol is {protocol}"
    return "a URL without user and password if the protocol is grpc" if "@" in endpoint else ""


def _check_compression(given: dict[str, Given], warn: Warn) -> None:
    """Refuse or ignore what the official gRPC exporter would refuse at the first push."""
    compression, protocol = given.get("compression"), given.get("protocol")
    if compression and protocol and (compression.value, protocol.value) == ("deflate", "grpc"):
        refuse_or_ignore(compression, "'deflate'", "gzip or none if the protocol is grpc", warn)
        del given["compression"]


def _convention_opted_in(environ: Mapping[str, str], warn: Warn) -> str:
    opted_in = resolve({"convention": _STABILITY_OPT_IN}, environ, {}, warn).get("convention")
    return (opted_in and opted_in.value) or "classic"


def _exclude_own_page(settings: Settings) -> Settings:
    path = settings.prometheus_path
    if "prometheus" not in settings.metrics_exporter or path in settings.exclude:
        return settings
    return replace(settings, exclude=(path, *settings.exclude))
