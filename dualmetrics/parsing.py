"""Turning the words of variables and arguments into values. Every function raises ValueError for a bad one."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)
"""What the word ``private`` stands for: RFC 1918, loopback, link-local, and IPv6's unique local addresses."""

_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_NAMESPACE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value.strip()


def boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text(value).lower()
    ]


def lenient_boolean(value: Any) -> bool:
    """By OpenTelemetry's rule only ``true``, in any case, is true; every other word is false."""
    return value if isinstance(value, bool) else text(value).lower() == "true"


def number(low: float, high: float = math.inf) -> Callable[[Any], float]:
    """A finite number between two bounds, inclusive."""

    def parse(value: Any) -> float:
        if isinstance(value, bool):
            raise ValueError
        found = float(value)
        if not (math.isfinite(found) and low <= found <= high):
            raise ValueError
        return found

    return parse


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A whole number between two bounds, inclusive."""
    inside = number(low, high)

    def parse(value: Any) -> int:
        if inside(value) != int(value):
            raise ValueError
        return int(value)

    return parse


def word(*allowed: str) -> Callable[[Any], str]:
    """One of some words, in any case."""

    def parse(value: Any) -> str:
        found = text(value).lower()
        if found not in allowed:
            raise ValueError
        return found

    return parse


def listed(value: Any) -> tuple[str, ...]:
    """Words between commas, or any collection of them."""
    items: Iterable[Any] = value.split(",") if isinstance(value, str) else collection(value)
    return tuple(item for item in map(text, items) if item)


def collection(value: Any) -> Collection[Any]:
    if not isinstance(value, Collection) or isinstance(value, (bytes, Mapping)):
        raise ValueError
    return value


def exporters(value: Any) -> frozenset[str]:
    """The exporters asked for; ``none`` stands alone."""
    found = frozenset(item.lower() for item in listed(value))
    if not found <= {"prometheus", "otlp", "console", "none"} or ("none" in found and len(found) > 1):
        raise ValueError
    return found - {"none"}


def labels(value: Any) -> dict[str, str]:
    """``k=v,k=v`` or a mapping; the names as Prometheus allows them, without the reserved ``__``."""
    found = pairs(value)
    if not all(_LABEL.fullmatch(name) for name in found) or "le" in found:
        raise ValueError
    return found


def pairs(value: Any) -> dict[str, str]:
    """``k=v,k=v`` or a mapping of strings."""
    if isinstance(value, Mapping):
        return {text(name): text(content) for name, content in value.items()}
    split = [item.partition("=") for item in listed(value)]
    if not all(name.strip() and equals for name, equals, _ in split):
        raise ValueError
    return {name.strip(): content.strip() for name, _, content in split}


def namespace(value: Any) -> str:
    found = text(value).rstrip("_")
    if not _NAMESPACE.fullmatch(found):
        raise ValueError
    return found


def path(value: Any) -> str:
    """An absolute URL path without a query and without a slash at the end."""
    found = text(value)
    if not re.fullmatch(r"(/[^/?#\s{}<>]+)+", found):
        raise ValueError
    return found


def excluded(value: Any) -> tuple[str, ...]:
    found = listed(value)
    if not all(item.startswith("/") and "*" not in item[:-1] for item in found):
        raise ValueError
    return found


def networks(value: Any) -> tuple[Network, ...]:
    """Addresses and networks, IPv4 and IPv6; ``private`` stands for `PRIVATE`."""
    found: list[Network] = []
    for item in map(str, listed(value) if isinstance(value, str) else collection(value)):
        found += PRIVATE if item == "private" else (ipaddress.ip_network(item, strict=False),)
    return tuple(found)


def credentials(value: Any) -> str:
    """``user:password``, both not empty."""
    user, _, password = text(value).partition(":")
    if not (user and password):
        raise ValueError
    return text(value)


def bounds(value: Any) -> tuple[float, ...]:
    """Ascending, finite bucket boundaries."""
    items = value.split(",") if isinstance(value, str) else collection(value)
    found = tuple(float(item) for item in items)
    if not found or not all(map(math.isfinite, found)) or any(a >= b for a, b in pairwise(found)):
        raise ValueError
    return found


def buckets(value: Any) -> tuple[tuple[float, ...] | None, dict[str, tuple[float, ...]]]:
    """The HTTP duration's boundaries (a plain list), and those of instruments by name (``name=1,2;name=3``)."""
    if isinstance(value, Mapping):
        return None, {text(name).lower(): bounds(items) for name, items in value.items()}
    if not isinstance(value, str):
        return bounds(value), {}
    plain = [part for part in value.split(";") if "=" not in part]
    named = [part.partition("=") for part in value.split(";") if "=" in part]
    if len(plain) > 1 or not all(name.strip() for name, _, _ in named):
        raise ValueError
    if plain and min(bounds(plain[0])) <= 0:
        raise ValueError
    found = {name.strip().lower(): bounds(items) for name, _, items in named}
    return (bounds(plain[0]) if plain else None), found


def gauge_merge(value: Any) -> tuple[str, dict[str, str]]:
    """The way gauges merge, and that of some by name: ``last;queue.depth=sum``."""
    choose = word("last", "sum", "min", "max", "each")
    if isinstance(value, Mapping):
        return "last", {text(name).lower(): choose(way) for name, way in value.items()}
    parts = [part for part in text(value).split(";") if part.strip()]
    plain = [part for part in parts if "=" not in part]
    named = [part.partition("=") for part in parts if "=" in part]
    if len(plain) > 1:
        raise ValueError
    return choose(plain[0]) if plain else "last", {name.strip().lower(): choose(way) for name, _, way in named}


def endpoint(value: Any) -> str:
    """An http or https URL with a host and a valid port."""
    found = text(value)
    url = urlsplit(found)
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError
    if url.port == 0:  # reading the port raises ValueError where it is no number, or too large
        raise ValueError
    return found


def headers(value: Any) -> dict[str, str]:
    """``k=v,k=v`` or a mapping; names are tokens of HTTP."""
    found = pairs(value)
    if not all(re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) for name in found):
        raise ValueError
    return found
