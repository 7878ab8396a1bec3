"""The settings: every variable, its default and its meaning; the only reader of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from opentelemetry.environment_variables import OTEL_PYTHON_TRACER_PROVIDER

from dualmetrics.config import validators
from dualmetrics.config.options import (
    Option,
    SettingsError,
    check_foreign_variables,
    options_of,
    resolve,
    setting,
)
from dualmetrics.config.parsers import boolean, choice, instrument_name, integer, list_of, finite_number, subset, single_line
from dualmetrics.config.validators import Network
from dualmetrics.runtime.redaction import masked_repr, redacted_url_repr

__all__ = ["Settings", "SettingsError"]


def _otlp(name: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"


_SIGNAL_URL = Option(validators.signal_url, ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",), redacted_url_repr)

_OPT_IN = Option(validators.stability_opt_in, ("OTEL_SEMCONV_STABILITY_OPT_IN",))

_LEFT_TO_OTHERS = (
    Option(validators.resource_attributes, ("OTEL_RESOURCE_ATTRIBUTES",)),
    *(
        Option(validators.readable, _otlp(name))
        for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
    ),
)
"""What OpenTelemetry reads itself, but would drop or stumble upon later if it were wrong."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """What one `Telemetry` runs by. Made by `load`; equal if everything is.

    Units: ``export_interval`` milliseconds (as its variable), ``timeout`` and ``shutdown_timeout`` seconds,
    ``buckets`` seconds, ``instrument_buckets`` each its instrument's own. ``resource_attributes`` are those
    given as an argument; OTEL_RESOURCE_ATTRIBUTES is left to OpenTelemetry's `Resource`. ``headers`` given as
    an argument join those of the variable, and win. ``endpoint`` is a base URL, to which HTTP adds
    ``/v1/metrics``, unless ``endpoint_is_signal``.
    """

    service_name: str | None = setting(single_line, "OTEL_SERVICE_NAME")
    service_version: str | None = setting(single_line)
    resource_attributes: Mapping[str, str] = setting(validators.resource_attributes, factory=dict)
    metrics_exporter: frozenset[str] = setting(
        subset("prometheus", "otlp", "console"),
        "OTEL_METRICS_EXPORTER",
        default=frozenset({"prometheus", "otlp"}),
    )
    prometheus_path: str = setting(validators.path, "PROMETHEUS_PATH", default="/metrics")
    prometheus_port: int | None = setting(
        integer("a port of 1 to 65535", least=1, most=65535), "PROMETHEUS_PORT"
    )

    endpoint: str | None = setting(validators.base_url, "OTEL_EXPORTER_OTLP_ENDPOINT", show=redacted_url_repr)
    endpoint_is_signal: bool = False
    protocol: Literal["grpc", "http/protobuf"] = setting(
        choice("grpc", "http/protobuf"), *_otlp("PROTOCOL"), default="http/protobuf"
    )
    headers: Mapping[str, str] | None = setting(validators.headers, *_otlp("HEADERS"), show=masked_repr)
    timeout: float = setting(finite_number("a number of seconds above 0", above=0), *_otlp("TIMEOUT"), default=10.0)
    compression: Literal["none", "gzip", "deflate"] = setting(
        choice("none", "gzip", "deflate"), *_otlp("COMPRESSION"), default="none"
    )
    insecure: bool | None = setting(boolean, *_otlp("INSECURE"), lenient=True)
    export_interval: float = setting(
        finite_number("a number of milliseconds above 0", above=0), "OTEL_METRIC_EXPORT_INTERVAL", default=60000.0
    )
    temporality: Literal["cumulative", "delta", "lowmemory"] = setting(
        choice("cumulative", "delta", "lowmemory"),
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        default="cumulative",
    )
    histogram_aggregation: Literal["explicit_bucket_histogram", "base2_exponential_bucket_histogram"] = (
        setting(
            choice("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            default="explicit_bucket_histogram",
        )
    )
    native_histograms: bool = setting(boolean, "DUALMETRICS_NATIVE_HISTOGRAMS", default=False)
    exemplar_filter: Literal["always_on", "always_off", "trace_based"] = setting(
        choice("always_on", "always_off", "trace_based"),
        "OTEL_METRICS_EXEMPLAR_FILTER",
        default="trace_based",
    )
    tracer_provider_configured: bool = False
    """Whether OTEL_PYTHON_TRACER_PROVIDER says that OpenTelemetry will have a tracer provider."""
    sdk_disabled: bool = setting(boolean, "OTEL_SDK_DISABLED", default=False, lenient=True)

    namespace: str = setting(validators.namespace, "DUALMETRICS_NAMESPACE", default="")
    const_labels: Mapping[str, str] = setting(validators.labels, "DUALMETRICS_CONST_LABELS", factory=dict)
    experiment: str | None = setting(single_line, "DUALMETRICS_EXPERIMENT")
    variant: str | None = setting(single_line, "DUALMETRICS_VARIANT")
    pipeline: str | None = setting(single_line, "DUALMETRICS_PIPELINE")
    convention: Literal["classic", "semconv", "both"] = setting(
        choice("classic", "semconv", "both"), "DUALMETRICS_CONVENTION", default="classic"
    )
    known_methods: frozenset[str] | None = setting(
        validators.known_methods, "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"
    )
    buckets: tuple[float, ...] = setting(validators.buckets, "DUALMETRICS_BUCKETS", default=_SECONDS)
    instrument_buckets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    cardinality_limit: int = setting(
        integer("a whole number of at least 1", least=1, most=10**9),
        "DUALMETRICS_CARDINALITY_LIMIT",
        default=2000,
    )
    metrics_token: str | None = setting(validators.token, "DUALMETRICS_METRICS_TOKEN", show=masked_repr)
    metrics_basic_auth: str | None = setting(
        validators.credentials, "DUALMETRICS_METRICS_BASIC_AUTH", show=masked_repr
    )
    metrics_allow: tuple[Network, ...] = setting(validators.networks, "DUALMETRICS_METRICS_ALLOW", default=())
    trusted_proxies: tuple[Network, ...] = setting(
        validators.networks, "DUALMETRICS_TRUSTED_PROXIES", default=()
    )
    scope_labels: Literal["own", "all", "none"] = setting(
        choice("own", "all", "none"), "DUALMETRICS_SCOPE_LABELS", default="own"
    )
    translation_strategy: Literal["underscore_escaping_with_suffixes", "no_utf8_escaping_with_suffixes"] = (
        setting(
            choice("underscore_escaping_with_suffixes", "no_utf8_escaping_with_suffixes"),
            "DUALMETRICS_TRANSLATION_STRATEGY",
            default="underscore_escaping_with_suffixes",
        )
    )
    created_series: bool = setting(boolean, "DUALMETRICS_CREATED_SERIES", default=False)
    host_metrics: bool = setting(boolean, "DUALMETRICS_HOST_METRICS", default=False)
    registries: tuple[object, ...] = setting(list_of(validators.registry), "DUALMETRICS_REGISTRIES", default=())
    exclude: tuple[str, ...] = setting(list_of(validators.excluded), "DUALMETRICS_EXCLUDE", default=())
    gauge_merge: str = setting(validators.gauge_merge, "DUALMETRICS_GAUGE_MERGE", default="last")
    gauge_merge_by_name: Mapping[str, str] = field(default_factory=dict)
    retain: frozenset[str] = setting(
        lambda value: frozenset(list_of(instrument_name)(value)), "DUALMETRICS_RETAIN", default=frozenset()
    )
    directory: str | None = setting(validators.directory, "DUALMETRICS_DIR")
    shutdown_timeout: float = setting(
        finite_number("a number of seconds, 0 or more", least=0), "DUALMETRICS_SHUTDOWN_TIMEOUT", default=2.0
    )

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
        """The settings that the arguments give, or else the variables of ``environ`` (default: the process').

        Arguments are the fields' names; they take natural values (lists, mappings, numbers) as well as the
        variable's text, and None for not given. ``buckets`` and ``gauge_merge`` take those of single
        instruments too, as ``"0.1,1;orders=1,10"`` or ``{"": [0.1, 1], "orders": [1, 10]}``. An empty
        variable is an unset one (OpenTelemetry's specification, "Environment Variables"). Raises
        SettingsError for a value that is not allowed, TypeError for an unknown argument.
        """
        environ = os.environ if environ is None else environ
        options = options_of(cls)
        unknown = sorted(set(arguments) - set(options))
        if unknown:
            raise TypeError(f"unknown setting {', '.join(unknown)}; known are {', '.join(options)}")
        check_foreign_variables(_LEFT_TO_OTHERS, environ)
        found = resolve(options, environ, arguments)
        _complete_endpoint(found, environ, arguments)
        found.setdefault("convention", _opted_in(environ))
        if "headers" in found:
            found["headers"] = {
                **resolve({"": options["headers"]}, environ, {}).get("", {}),
                **found["headers"],
            }
        _split(found, "buckets", "instrument_buckets")
        _split(found, "gauge_merge", "gauge_merge_by_name")
        found["tracer_provider_configured"] = OTEL_PYTHON_TRACER_PROVIDER in environ
        return _consistent(_excluding_own_page(cls(**found)), environ)

    @property
    def exponential(self) -> bool:
        """Whether exponential histograms are recorded, and pushed."""
        return self.native_histograms or self.histogram_aggregation == "base2_exponential_bucket_histogram"

    @property
    def page_labels(self) -> dict[str, str]:
        """The constant labels of the Prometheus page, with those of the experiment."""
        own = {name: getattr(self, name) for name in ("experiment", "variant", "pipeline")}
        return {**self.const_labels, **{name: value for name, value in own.items() if value}}

    def difference(self, other: Settings) -> list[str]:
        """What differs, as ``name: own value, other's value``; secrets are not shown."""
        return [
            f"{each.name}: {self._shown(each.name)}, {other._shown(each.name)}"
            for each in fields(self)
            if getattr(self, each.name) != getattr(other, each.name)
        ]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{each.name}={self._shown(each.name)}' for each in fields(self))})"

    def _shown(self, name: str) -> str:
        option = options_of(Settings).get(name)
        value = getattr(self, name)
        value = dict(value) if isinstance(value, Mapping) else value
        return option.show(value) if option else repr(value)


def _complete_endpoint(
    found: dict[str, Any], environ: Mapping[str, str], arguments: Mapping[str, object]
) -> None:
    signal = resolve({"endpoint": _SIGNAL_URL}, environ, {})
    if signal and arguments.get("endpoint") is None:
        found.update(signal, endpoint_is_signal=True)
    found.setdefault("protocol", validators.protocol_of(found.get("endpoint")))


def _opted_in(environ: Mapping[str, str]) -> str:
    return resolve({"convention": _OPT_IN}, environ, {}).get("convention") or "classic"


def _split(found: dict[str, Any], plain: str, by_name: str) -> None:
    for_all, found[by_name] = found.pop(plain, (None, {}))
    if for_all is not None:
        found[plain] = for_all


def _excluding_own_page(settings: Settings) -> Settings:
    path = settings.prometheus_path
    if "prometheus" not in settings.metrics_exporter or path in settings.exclude:
        return settings
    return replace(settings, exclude=(path, *settings.exclude))


def _consistent(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """Refuse what the official exporter over gRPC would stumble over at the first push."""
    if settings.protocol != "grpc" or settings.endpoint is None:
        return settings
    if settings.compression == "deflate":
        refused = "OTEL_EXPORTER_OTLP_COMPRESSION='deflate': must be gzip or none"
    elif "@" in settings.endpoint:
        refused = (
            f"OTEL_EXPORTER_OTLP_ENDPOINT={redacted_url_repr(settings.endpoint)}: must have no user and password"
        )
    elif not environ.get("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "10").strip():
        refused = (
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT='': must be a number of seconds above 0, or not set at all,"
        )
    else:
        return settings
    raise SettingsError(f"{refused} where the protocol is grpc")
