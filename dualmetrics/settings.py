"""All settings: the one place that reads the environment, and refuses what makes no sense."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from dualmetrics import parsing
from dualmetrics.parsing import Network

HTTP_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Default bucket boundaries of the HTTP duration, in seconds."""

OTLP = "OTEL_EXPORTER_OTLP_"


class SettingsError(ValueError):
    """A setting that makes no sense: names the variable or argument, the value, and what is allowed."""


class Option(NamedTuple):
    """One setting: its argument's name, its variables (the first that is set counts), how it is read."""

    name: str
    variables: tuple[str, ...]
    parse: Callable[[Any], Any]
    allowed: str
    default: Any = None
    secret: bool = False


def _own(name: str, parse: Callable[[Any], Any], allowed: str, default: Any = None, secret: bool = False) -> Option:
    return Option(name, (f"DUALMETRICS_{name.upper()}",), parse, allowed, default, secret)


_NETWORKS = "a comma list of addresses, networks (10.0.0.0/8, fd00::/8) or the word private"
_LABELS = "k=v,k=v with label names of letters, digits and _, not beginning with __, and not le"
_BUCKETS = "ascending, positive numbers (.1,.5,1), in seconds, or per instrument name=1,2;other=3,4"

OPTIONS = (
    Option("service_name", ("OTEL_SERVICE_NAME",), parsing.text, "a text"),
    Option("service_version", (), parsing.text, "a text"),
    Option("resource_attributes", (), parsing.pairs, "k=v,k=v or a mapping of strings", {}),
    Option(
        "metrics_exporter",
        ("OTEL_METRICS_EXPORTER",),
        parsing.exporters,
        "a comma list of prometheus, otlp, console; or none",
        frozenset({"prometheus", "otlp"}),
    ),
    Option("endpoint", (), parsing.endpoint, "a URL like http://collector:4318"),
    Option("protocol", (f"{OTLP}METRICS_PROTOCOL", f"{OTLP}PROTOCOL"), parsing.word("grpc", "http/protobuf"), "grpc, http/protobuf"),
    Option("headers", (), parsing.headers, "k=v,k=v or a mapping, names as HTTP allows them", None, True),
    Option(
        "temporality",
        (f"{OTLP}METRICS_TEMPORALITY_PREFERENCE",),
        parsing.word("cumulative", "delta", "lowmemory"),
        "cumulative, delta, lowmemory",
        "cumulative",
    ),
    Option(
        "histogram_aggregation",
        (f"{OTLP}METRICS_DEFAULT_HISTOGRAM_AGGREGATION",),
        parsing.word("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
        "explicit_bucket_histogram, base2_exponential_bucket_histogram",
        "explicit_bucket_histogram",
    ),
    Option("export_interval", ("OTEL_METRIC_EXPORT_INTERVAL",), parsing.number(1), "milliseconds, at least 1", 60000.0),
    Option(
        "exemplar_filter",
        ("OTEL_METRICS_EXEMPLAR_FILTER",),
        parsing.word("trace_based", "always_on", "always_off"),
        "trace_based, always_on, always_off",
        "trace_based",
    ),
    Option("sdk_disabled", ("OTEL_SDK_DISABLED",), parsing.lenient_boolean, "true, false", False),
    Option("prometheus_path", ("PROMETHEUS_PATH",), parsing.path, "a path like /metrics, without a slash at its end", "/metrics"),
    Option("prometheus_port", ("PROMETHEUS_PORT",), parsing.whole(1, 65535), "a port, 1 to 65535"),
    _own("namespace", parsing.namespace, "letters, digits and _, not beginning with a digit", ""),
    _own("const_labels", parsing.labels, _LABELS, {}),
    _own("experiment", parsing.text, "a text"),
    _own("variant", parsing.text, "a text"),
    _own("pipeline", parsing.text, "a text"),
    _own("convention", parsing.word("classic", "semconv", "both"), "classic, semconv, both", "classic"),
    _own("buckets", parsing.buckets, _BUCKETS, (None, {})),
    _own("cardinality_limit", parsing.whole(1, 10**7), "a whole number, 1 to 10000000", 2000),
    _own("metrics_token", parsing.text, "a text", None, True),
    _own("metrics_basic_auth", parsing.credentials, "user:password", None, True),
    _own("metrics_allow", parsing.networks, _NETWORKS, ()),
    _own("trusted_proxies", parsing.networks, _NETWORKS, ()),
    _own("scope_labels", parsing.word("own", "all", "none"), "own, all, none", "own"),
    _own("host_metrics", parsing.boolean, "true, false", False),
    _own("exclude", parsing.excluded, "a comma list of paths that begin with /, exact or with a * at the end", ()),
    _own("gauge_merge", parsing.gauge_merge, "last, sum, min, max or each; and per gauge last;queue.depth=sum", ("last", {})),
    _own("retain", parsing.listed, "a comma list of up-down counters", ()),
    Option("directory", ("DUALMETRICS_DIR",), parsing.text, "a directory"),
    _own("shutdown_timeout", parsing.number(0), "seconds, at least 0", 2.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user wants, checked. README has the table; units are those of the variables.

    ``endpoint`` is a base URL unless ``endpoint_is_signal``. ``buckets`` are seconds; ``instrument_buckets``, by
    the instrument's name in lower case, are in its own unit.
    """

    service_name: str | None
    service_version: str | None
    resource_attributes: Mapping[str, str]
    metrics_exporter: frozenset[str]
    endpoint: str | None
    endpoint_is_signal: bool
    protocol: str
    headers: Mapping[str, str] | None = dataclasses.field(repr=False)
    temporality: str
    histogram_aggregation: str
    export_interval: float
    exemplar_filter: str
    sdk_disabled: bool
    prometheus_path: str
    prometheus_port: int | None
    namespace: str
    const_labels: Mapping[str, str]
    experiment: str | None
    variant: str | None
    pipeline: str | None
    convention: str
    buckets: tuple[float, ...]
    instrument_buckets: Mapping[str, tuple[float, ...]]
    cardinality_limit: int
    metrics_token: str | None = dataclasses.field(repr=False)
    metrics_basic_auth: str | None = dataclasses.field(repr=False)
    metrics_allow: tuple[Network, ...]
    trusted_proxies: tuple[Network, ...]
    scope_labels: str
    host_metrics: bool
    exclude: tuple[str, ...]
    gauge_merge: str
    gauge_merge_by_name: Mapping[str, str]
    retain: frozenset[str]
    directory: str | None
    shutdown_timeout: float

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None, **arguments: Any) -> Settings:
        """Read the arguments, and what they leave out from the environment.

        Raises SettingsError for a bad value, TypeError for an argument that is no setting.
        """
        environ = os.environ if environ is None else environ
        unknown = arguments.keys() - {option.name for option in OPTIONS}
        if unknown:
            known = ", ".join(option.name for option in OPTIONS)
            raise TypeError(f"no setting {', '.join(sorted(unknown))}; there are {known}")
        found = {option.name: _read(option, environ, arguments.get(option.name)) for option in OPTIONS}
        _check_exporters_variables(environ)
        return cls(**_derived(found, environ))

    @property
    def page_labels(self) -> dict[str, str]:
        """The constant labels of the page, those of an experiment included."""
        named = {"experiment": self.experiment, "variant": self.variant, "pipeline": self.pipeline}
        return {**self.const_labels, **{name: value for name, value in named.items() if value}}

    def difference(self, other: Settings) -> list[str]:
        """What differs, each with both values; those of secrets are not told."""
        secret = {option.name for option in OPTIONS if option.secret}
        told: list[str] = []
        for field in dataclasses.fields(self):
            mine, others = getattr(self, field.name), getattr(other, field.name)
            if mine != others:
                both = "" if field.name in secret else f" is {mine!r} and would become {others!r}"
                told.append(field.name + (both or " would change"))
        return told


def _read(option: Option, environ: Mapping[str, str], argument: Any) -> Any:
    """The value of one setting. An empty variable is an unset one (OpenTelemetry's environment spec)."""
    if argument is not None:
        return _parse(option, f"{option.name}=", argument)
    for variable in option.variables:
        if environ.get(variable, "").strip():
            return _parse(option, f"{variable}=", environ[variable])
    return option.default


def _parse(option: Option, source: str, value: Any) -> Any:
    try:
        return option.parse(value)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        shown = "(a secret, not shown)" if option.secret else repr(value)
        raise SettingsError(f"{source}{shown}: allowed is {option.allowed}") from None


def _derived(found: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """From the settings as they are written to the fields of `Settings`."""
    plain, found["instrument_buckets"] = found["buckets"]
    found["buckets"] = plain or HTTP_BOUNDS
    found["gauge_merge"], found["gauge_merge_by_name"] = found["gauge_merge"]
    found["retain"] = frozenset(name.lower() for name in found["retain"])
    found["endpoint_is_signal"] = False
    if found["endpoint"] is None:
        found["endpoint"], found["endpoint_is_signal"] = _endpoint(environ)
    if found["protocol"] is None:
        grpc = found["endpoint"] is not None and urlsplit(found["endpoint"]).port == 4317
        found["protocol"] = "grpc" if grpc else "http/protobuf"
    if "prometheus" in found["metrics_exporter"]:
        found["exclude"] = (found["prometheus_path"], *found["exclude"])
    return found


def _endpoint(environ: Mapping[str, str]) -> tuple[str | None, bool]:
    for variable, is_signal in ((f"{OTLP}METRICS_ENDPOINT", True), (f"{OTLP}ENDPOINT", False)):
        option = Option("endpoint", (variable,), parsing.endpoint, "a URL like http://collector:4318")
        found = _read(option, environ, None)
        if found is not None:
            return found, is_signal
    return None, False


def _check_exporters_variables(environ: Mapping[str, str]) -> None:
    """What the official exporters read themselves, and would raise or stumble over at the first push."""
    compression = parsing.word("none", "gzip", "deflate")
    for middle in ("METRICS_", ""):
        for name, parse, allowed in (
            ("TIMEOUT", parsing.number(0), "seconds, at least 0"),
            ("COMPRESSION", compression, "none, gzip, deflate"),
            ("INSECURE", parsing.boolean, "true, false"),
        ):
            _read(Option(name, (f"{OTLP}{middle}{name}",), parse, allowed), environ, None)
