"""The settings: every argument and variable, its default and its meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from dualmetrics.config import endpoints, route_validators, validators
from dualmetrics.config.declared_attributes import DeclaredAttribute, declared_attributes
from dualmetrics.config.exporter_names import OTLP_EXPORTERS
from dualmetrics.config.options import SettingsError, options_of, otlp_variables, setting
from dualmetrics.config.parsers import boolean, choice, finite_number, integer, list_of, single_line, subset
from dualmetrics.config.per_instrument import PerInstrument, instrument_names
from dualmetrics.config.validators import DEFAULT_BUCKETS, Network
from dualmetrics.runtime.redaction import masked_repr, redacted_url_repr

__all__ = ["Settings", "SettingsError"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """The settings of one `Telemetry`. Made by `load_settings`. Two are equal if all settings are equal.

    Units: ``export_interval`` is in milliseconds, like its variable. ``timeout`` and ``shutdown_timeout`` are
    in seconds. ``buckets`` are in seconds by default, and in the unit of the instrument by name.

    ``resource_attributes`` and ``headers`` given as an argument are added to those of the variable, and win.
    ``endpoint`` is a base URL, to which HTTP adds ``/v1/metrics``, unless ``endpoint_is_signal``. For gRPC it
    may also be the address of a server, such as ``collector:4317``.
    ``tracer_provider_configured`` says whether OTEL_PYTHON_TRACER_PROVIDER is set: OpenTelemetry will then
    have a tracer provider.
    """

    service_name: str | None = setting(single_line, "OTEL_SERVICE_NAME")
    service_version: str | None = setting(single_line)
    resource_attributes: Mapping[str, str] = setting(
        validators.resource_attributes, "OTEL_RESOURCE_ATTRIBUTES", factory=dict, merges=True
    )
    metrics_exporter: frozenset[str] = setting(
        subset("prometheus", "otlp", "console", aliases=OTLP_EXPORTERS),
        "OTEL_METRICS_EXPORTER",
        default=frozenset({"prometheus", "otlp"}),
    )
    prometheus_path: str = setting(validators.path, "PROMETHEUS_PATH", default="/metrics")
    prometheus_port: int | None = setting(
        integer("a port from 1 to 65535", least=1, most=65535),
        "PROMETHEUS_PORT",
        "OTEL_EXPORTER_PROMETHEUS_PORT",
    )
    prometheus_host: str = setting(
        single_line, "PROMETHEUS_HOST", "OTEL_EXPORTER_PROMETHEUS_HOST", default=""
    )

    endpoint: str | None = setting(endpoints.base_url, "OTEL_EXPORTER_OTLP_ENDPOINT", show=redacted_url_repr)
    endpoint_is_signal: bool = False
    protocol: Literal["grpc", "http/protobuf"] = setting(
        choice("grpc", "http/protobuf"), *otlp_variables("PROTOCOL"), default="http/protobuf"
    )
    headers: Mapping[str, str] | None = setting(
        validators.headers, *otlp_variables("HEADERS"), show=masked_repr, merges=True
    )
    timeout: float = setting(validators.timeout, *otlp_variables("TIMEOUT"), default=10.0)
    compression: Literal["none", "gzip", "deflate"] = setting(
        choice("none", "gzip", "deflate"), *otlp_variables("COMPRESSION"), default="none"
    )
    insecure: bool | None = setting(boolean, *otlp_variables("INSECURE"))
    certificate: str | None = setting(validators.readable, *otlp_variables("CERTIFICATE"))
    client_key: str | None = setting(validators.readable, *otlp_variables("CLIENT_KEY"))
    client_certificate: str | None = setting(validators.readable, *otlp_variables("CLIENT_CERTIFICATE"))
    export_interval: float = setting(
        finite_number("a number of milliseconds above 0", above=0),
        "OTEL_METRIC_EXPORT_INTERVAL",
        default=60000.0,
    )
    temporality: Literal["cumulative", "delta", "lowmemory"] = setting(
        choice("cumulative", "delta", "lowmemory"),
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
        default="cumulative",
    )
    delta_in_doubt: Literal["resend", "skip"] = setting(
        choice("resend", "skip"), "DUALMETRICS_DELTA_IN_DOUBT", default="resend"
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
    sdk_disabled: bool = setting(boolean, "OTEL_SDK_DISABLED", default=False)

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
    buckets: PerInstrument[tuple[float, ...]] = setting(  # noqa: RUF009  # it returns a dataclass field
        validators.buckets, "DUALMETRICS_BUCKETS", default=PerInstrument(DEFAULT_BUCKETS)
    )
    cardinality_limit: int = setting(
        integer("a whole number from 1 to 1000000000", least=1, most=10**9),
        "DUALMETRICS_CARDINALITY_LIMIT",
        default=2000,
    )
    metrics_token: str | None = setting(
        validators.token, "DUALMETRICS_METRICS_TOKEN", show=masked_repr, protects=True
    )
    metrics_basic_auth: str | None = setting(
        validators.credentials, "DUALMETRICS_METRICS_BASIC_AUTH", show=masked_repr, protects=True
    )
    metrics_allow: tuple[Network, ...] = setting(
        validators.allowed_networks, "DUALMETRICS_METRICS_ALLOW", default=(), protects=True
    )
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
    registries: tuple[object, ...] = setting(
        list_of(validators.registry), "DUALMETRICS_REGISTRIES", default=()
    )
    exclude: tuple[str, ...] = setting(list_of(validators.excluded), "DUALMETRICS_EXCLUDE", default=())
    exclude_regex: re.Pattern[str] | None = setting(  # noqa: RUF009  # it returns a dataclass field
        route_validators.path_regex, "DUALMETRICS_EXCLUDE_REGEX"
    )
    exclude_routes: tuple[str, ...] = setting(
        route_validators.excluded_routes, "DUALMETRICS_EXCLUDE_ROUTES", default=()
    )
    route_buckets: Mapping[str, tuple[float, ...]] = setting(
        route_validators.route_buckets, "DUALMETRICS_ROUTE_BUCKETS", factory=dict
    )
    attributes: tuple[DeclaredAttribute, ...] = setting(
        declared_attributes, "DUALMETRICS_ATTRIBUTES", default=()
    )
    grouped_status: bool = setting(boolean, "DUALMETRICS_GROUPED_STATUS", default=False)
    classic_error_type: bool = setting(boolean, "DUALMETRICS_CLASSIC_ERROR_TYPE", default=False)
    active_by_route: bool = setting(boolean, "DUALMETRICS_ACTIVE_BY_ROUTE", default=False)
    body_size: bool = setting(boolean, "DUALMETRICS_BODY_SIZE", default=False)
    time_to_first_byte: bool = setting(boolean, "DUALMETRICS_TIME_TO_FIRST_BYTE", default=False)
    websockets: bool = setting(boolean, "DUALMETRICS_WEBSOCKETS", default=False)
    root_path: str | None = setting(validators.root_path, "DUALMETRICS_ROOT_PATH")
    gauge_merge: PerInstrument[str] = setting(  # noqa: RUF009  # it returns a dataclass field
        validators.gauge_merge, "DUALMETRICS_GAUGE_MERGE", default=PerInstrument("last")
    )
    retain: frozenset[str] = setting(instrument_names, "DUALMETRICS_RETAIN", default=frozenset())
    directory: str | None = setting(validators.directory, "DUALMETRICS_DIR")
    shutdown_timeout: float = setting(
        finite_number("a number of seconds that is 0 or more", least=0),
        "DUALMETRICS_SHUTDOWN_TIMEOUT",
        default=2.0,
    )

    @property
    def exponential(self) -> bool:
        """Whether exponential histograms are recorded and pushed."""
        return self.native_histograms or self.histogram_aggregation == "base2_exponential_bucket_histogram"

    @property
    def records_error_type(self) -> bool:
        """Whether the class of an exception is recorded."""
        return self.convention != "classic" or self.classic_error_type

    @property
    def page_labels(self) -> dict[str, str]:
        """The constant labels of the page, including those of the experiment."""
        own = {name: getattr(self, name) for name in ("experiment", "variant", "pipeline")}
        return {**self.const_labels, **{name: value for name, value in own.items() if value}}

    def difference(self, other: Settings) -> list[str]:
        """Return each setting that differs, as ``name: own value, other value``. Secrets are masked."""
        return [
            f"{field.name}: {self._shown(field.name)}, {other._shown(field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        ]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{field.name}={self._shown(field.name)}' for field in fields(self))})"

    def _shown(self, name: str) -> str:
        option = options_of(Settings).get(name)
        value: Any = getattr(self, name)
        value = dict(value) if isinstance(value, Mapping) else value
        return option.show(value) if option else repr(value)
