"""Parsers of single settings. `parsers` explains how a parser refuses a value."""

from __future__ import annotations

import os
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from typing import Literal

from dualmetrics.config.parsers import (
    choice,
    finite_number,
    key_value_pairs,
    list_of,
    regex,
    single_line,
    text,
)
from dualmetrics.config.per_instrument import PerInstrument, per_instrument

UNIX: Literal["unix"] = "unix"
"""Stands for Unix sockets among networks: a peer there has no address."""

Network = IPv4Network | IPv6Network | Literal["unix"]

PRIVATE: tuple[Network, ...] = tuple(
    map(
        ip_network,
        (
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # RFC 1918
            *("127.0.0.0/8", "::1/128"),  # loopback
            *("169.254.0.0/16", "fe80::/10"),  # link-local
            "fc00::/7",  # unique local, RFC 4193
        ),
    )
)
"""The networks that the word ``private`` stands for."""

DEFAULT_BUCKETS: tuple[float, ...] = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    7.5,
    10.0,
)
"""The bucket bounds of the HTTP duration, in seconds."""

namespace = regex(
    r"[A-Za-z_]([A-Za-z0-9_]*[A-Za-z0-9])?",
    "letters, digits and _, not beginning with a digit and not ending with _",
)
path = regex(
    r"(/[A-Za-z0-9._~!$&'()+,;=:@-]+)+",
    "a path like /metrics, which begins with /, does not end with / and has no query, spaces or escapes",
)
_root_path = regex(
    r"/|(/[^/\s?#]+)+/?", "a path like /shop, or / if nothing stands before the paths of the app"
)
token = regex(r"[\x21-\x7e]+", "printable ASCII characters without spaces")
credentials = regex(r"[^\x00-\x1f\x7f\ud800-\udfff:]+:[^\x00-\x1f\x7f\ud800-\udfff]+", "user:password")
excluded = regex(r"/[^\s?#*]*\*?", "a list of paths that begin with / and may end with *")

_label = regex(
    r"(?!__)(?!(le|quantile)$)[A-Za-z_][A-Za-z0-9_]*",
    "name=value,name=value with names of letters, digits and _ that do not begin with a digit or __ and are "
    "not le or quantile",
)
labels = key_value_pairs(_label)
resource_attributes = key_value_pairs(
    regex(r"[^\ud800-\udfff]+", "key=value,key=value with percent-encoded UTF-8"),
    text,  # an empty value has a meaning, too (specification, "Attribute")
)

_HEADERS = "name=value,name=value with valid names of HTTP headers and percent-encoded values"
_header_name = regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", _HEADERS)
headers = key_value_pairs(
    lambda name: _header_name(name).lower(),  # gRPC accepts only lower case
    regex(r"[\x20-\x7e]*", _HEADERS),
    skips_bad_pairs=True,
)

_METHODS = "a list of at least one HTTP method (case-sensitive)"
_method = regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", _METHODS)

NO_LIMIT = 86400.0
"""The timeout in seconds that 0 stands for, which OpenTelemetry's specification takes as no limit."""

_seconds = finite_number("a number of seconds that is 0 or more", least=0)

gauge_merge = per_instrument(choice("last", "sum", "min", "max", "each"), default="last")


def timeout(value: object) -> float:
    """Parse a timeout in seconds."""
    return _seconds(value) or NO_LIMIT


def root_path(value: object) -> str:
    """Parse the prefix that a proxy or server adds. It begins with / and does not end with it."""
    return _root_path(value).rstrip("/")


def bounds(value: object) -> tuple[float, ...]:
    """Parse bucket bounds: at least one, finite and ascending. The bucket up to infinity is implied."""
    words = "bucket bounds: at least one finite number, in ascending order"
    parsed = list_of(finite_number(words))(value)
    if not parsed or any(low >= high for low, high in pairwise(parsed)):
        raise ValueError(words)
    return parsed


_bounds_per_instrument = per_instrument(bounds, DEFAULT_BUCKETS)


def buckets(value: object) -> PerInstrument[tuple[float, ...]]:
    """Parse the bounds of the HTTP duration (seconds, so above 0), and of instruments (in their own unit)."""
    parsed = _bounds_per_instrument(value)
    if parsed.default[0] <= 0:
        raise ValueError("bucket bounds above 0, because they are seconds")
    return parsed


def known_methods(value: object) -> frozenset[str]:
    """Parse the HTTP methods that replace the default ones. At least one is required."""
    methods = frozenset(list_of(_method)(value))
    if not methods:
        raise ValueError(_METHODS)
    return methods


def stability_opt_in(value: object) -> str | None:
    """Parse OTEL_SEMCONV_STABILITY_OPT_IN, which may also have words that are not about HTTP.

    Returns the convention that it asks for, or None.
    """
    words = list_of(single_line)(value)
    return "both" if "http/dup" in words else "semconv" if "http" in words else None


def networks(value: object) -> tuple[Network, ...]:
    """Parse a list of networks in CIDR notation, single addresses, and the words ``private`` and ``unix``."""
    return tuple(network for item in list_of(_networks_of)(value) for network in item)


def allowed_networks(value: object) -> tuple[Network, ...]:
    """Parse a list of networks that is not empty: without any, everybody would be allowed."""
    allowed = networks(value)
    if not allowed:
        raise ValueError(f"{_NETWORKS}, at least one of them")
    return allowed


_NETWORKS = (
    "a list of networks like 10.0.0.0/8 (without host bits), addresses, and the words private and unix"
)


def _networks_of(value: object) -> tuple[Network, ...]:
    if value == "private":
        return PRIVATE
    if value == UNIX:
        return (UNIX,)
    try:
        return (ip_network(str(value)),)
    except ValueError:
        raise ValueError(_NETWORKS) from None


def registry(value: object) -> object:
    """Parse a registry of prometheus_client. The word ``default`` stands for its default registry."""
    if value != "default" and not callable(getattr(value, "collect", None)):
        raise ValueError("a list of registries of prometheus_client, or the word default")
    return value


def directory(value: object) -> str:
    """Parse the absolute path of a directory. Workers may have different working directories."""
    text = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
    if not isinstance(text, str) or not os.path.isabs(text) or "\0" in text:
        raise ValueError("an absolute path")
    if os.path.exists(text) and not os.path.isdir(text):
        raise ValueError("the path of a directory")
    return text


def readable(value: object) -> str:
    """Parse the path of a file that can be read."""
    if not isinstance(value, str) or not os.path.isfile(value) or not os.access(value, os.R_OK):
        raise ValueError("the path of a readable file")
    return value
