"""What the values of single settings look like (see `parsing` for how a parser says no)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from itertools import pairwise
from urllib.parse import urlsplit

from dualmetrics.config.parsers import choice, list_of, per_instrument, finite_number, key_value_pairs, regex, single_line

Network = IPv4Network | IPv6Network

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

namespace = regex(
    r"[A-Za-z_]([A-Za-z0-9_]*[A-Za-z0-9])?", "letters, digits and _, neither a digit first nor a _ last"
)
path = regex(
    r"(/[A-Za-z0-9._~!$&'()+,;=:@-]+)+",
    "a path like /metrics: begins with /, does not end with it, no query, spaces or escapes",
)
token = regex(r"[\x21-\x7e]+", "printable ASCII without spaces")
credentials = regex(r"[^\x00-\x1f\x7f:]+:[^\x00-\x1f\x7f]+", "user:password")
excluded = regex(r"/[^\s?#*]*\*?", "a list of paths that begin with /, exact or with a * at the end")

_label = regex(
    r"(?!__)(?!(le|quantile)$)[A-Za-z_][A-Za-z0-9_]*",
    "name=value,name=value; names have letters, digits and _, no leading __, and are not le or quantile",
)
labels = key_value_pairs(_label)
resource_attributes = key_value_pairs(single_line)

_HEADERS = "name=value,name=value by the rules of HTTP headers, values percent-encoded"
headers = key_value_pairs(
    lambda name: regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", _HEADERS)(name).lower(),  # gRPC takes lower case only
    regex(r"[\x20-\x7e]*", _HEADERS),
)

_METHODS = "a list of HTTP methods, case-sensitive, at least one"
_method = regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", _METHODS)

gauge_merge = per_instrument(choice("last", "sum", "min", "max", "each"))


def bounds(value: object) -> tuple[float, ...]:
    """Bucket boundaries: at least one, finite, ascending; infinity is understood."""
    words = "bucket bounds: finite numbers in ascending order, at least one"
    found = list_of(finite_number(words))(value)
    if not found or any(low >= high for low, high in pairwise(found)):
        raise ValueError(words)
    return found


def buckets(value: object) -> tuple[tuple[float, ...] | None, Mapping[str, tuple[float, ...]]]:
    """Bounds of the HTTP duration (seconds, so above 0), and of instruments by name (their own unit)."""
    seconds, by_name = per_instrument(bounds)(value)
    if seconds and seconds[0] <= 0:
        raise ValueError("bucket bounds of a duration in seconds: all above 0")
    return seconds, by_name


def known_methods(value: object) -> frozenset[str]:
    """The methods that are named, instead of those that are by default; at least one."""
    found = frozenset(list_of(_method)(value))
    if not found:
        raise ValueError(_METHODS)
    return found


def stability_opt_in(value: object) -> str | None:
    """The convention that OTEL_SEMCONV_STABILITY_OPT_IN asks for; its other words are not about HTTP."""
    words = list_of(single_line)(value)
    return "both" if "http/dup" in words else "semconv" if "http" in words else None


def networks(value: object) -> tuple[Network, ...]:
    """A list of networks in CIDR notation, single addresses, and ``private``."""
    return tuple(network for found in list_of(_network)(value) for network in found)


def _network(value: object) -> tuple[Network, ...]:
    if value == "private":
        return PRIVATE
    try:
        return (ip_network(str(value)),)
    except ValueError:
        raise ValueError(
            "a list of networks like 10.0.0.0/8 (no host bits set), addresses, and the word private"
        ) from None


def registry(value: object) -> object:
    """A registry of prometheus_client, or the word for its default one."""
    if value != "default" and not callable(getattr(value, "collect", None)):
        raise ValueError("a list of prometheus_client's registries, or the word default")
    return value


def directory(value: object) -> str:
    """An absolute path: workers may have different working directories."""
    found = os.fspath(value) if isinstance(value, (str, os.PathLike)) else ""
    if not isinstance(found, str) or not os.path.isabs(found) or "\0" in found:
        raise ValueError("an absolute path")
    if os.path.exists(found) and not os.path.isdir(found):
        raise ValueError("the path of a directory")
    return found


def readable(value: object) -> str:
    """A file that can be read."""
    if not isinstance(value, str) or not os.path.isfile(value) or not os.access(value, os.R_OK):
        raise ValueError("the path of a readable file")
    return value


def base_url(value: object) -> str:
    """An OTLP endpoint to whose path HTTP adds ``/v1/metrics``."""
    return _url(
        value, r"[^\s?#]+", "an http:// or https:// URL with a host, a port of 1 to 65535 if any, no query"
    )


def signal_url(value: object) -> str:
    """An OTLP endpoint that is used as it is."""
    return _url(value, r"[^\s#]+", "an http:// or https:// URL with a host, and a port of 1 to 65535 if any")


def _url(value: object, pattern: str, words: str) -> str:
    given = regex(pattern, words)(value)
    try:
        url = urlsplit(given)
        sound = url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:  # a port that is none, a broken IPv6 address
        sound = False
    if not sound:
        raise ValueError(words)
    return given


def protocol_of(endpoint: str | None) -> str:
    """The protocol to be expected at an endpoint, by its port (OTLP: 4317 is gRPC's, 4318 HTTP's)."""
    return "grpc" if endpoint and urlsplit(endpoint).port == 4317 else "http/protobuf"
