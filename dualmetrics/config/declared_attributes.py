"""Attributes of requests that an app declares, with the values that each may have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dualmetrics.config.options import SettingsError

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,254}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

WORDS = (
    "name=value,value;name:Header-Name=value,value or a list of DeclaredAttribute, with names of letters, "
    "digits, _ and . that begin with a letter, each once and none of HTTP's own, and with at least one value "
    "for each"
)

RESERVED = frozenset(
    (
        *(
            "http_method",
            "http_route",
            "http_status_code",
            "http_request_method",
            "http_response_status_code",
        ),
        *("network_protocol_version", "url_scheme", "error_type", "websocket_close_code"),
        *("le", "quantile", "worker", "otel_metric_overflow"),
    )
)
"""The labels that have a meaning already."""


@dataclass(frozen=True)
class DeclaredAttribute:
    """An attribute that requests may have, with all its values. Any other value is recorded as ``_OTHER``.

    The value of a request is what `current_request` was given in the handler. Else it is what ``value_of``
    returns: a function that is called when the request has ended, with its scope on ASGI, its environ on
    WSGI, and the framework's own request for the servers of aiohttp and Tornado. Else it is that of the
    request's ``header``. A request without a value does not have the attribute. Raises SettingsError for a
    bad name or header, and if there is no value.
    """

    name: str
    values: tuple[str, ...]
    header: str | None = None
    value_of: Callable[[Any], object] | None = None

    def __init__(
        self,
        name: str,
        values: Iterable[str],
        *,
        header: str | None = None,
        value_of: Callable[[Any], object] | None = None,
    ) -> None:
        known = tuple(values) if not isinstance(values, str) else ()
        _check(name, known, header)
        if value_of is not None and not callable(value_of):
            raise SettingsError(f"value_of={value_of!r}: must be a function that takes a request")
        for field, value in (("name", name), ("values", known), ("header", header), ("value_of", value_of)):
            object.__setattr__(self, field, value)


def declared_attributes(value: object) -> tuple[DeclaredAttribute, ...]:
    """Parse declarations: a list of them, a mapping from names to values, or the text of the variable."""
    if isinstance(value, str):
        declared = tuple(_of_text(part) for part in filter(None, map(str.strip, value.split(";"))))
    elif isinstance(value, Mapping):
        declared = tuple(_made(name, values) for name, values in value.items())
    elif isinstance(value, Iterable):
        declared = tuple(value)
    else:
        raise ValueError(WORDS)
    are_declared = all(isinstance(each, DeclaredAttribute) for each in declared)
    if not are_declared or len({_label(each.name) for each in declared}) < len(declared):
        raise ValueError(WORDS)
    return declared


def _check(name: object, values: tuple[object, ...], header: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or _label(name) in RESERVED:
        raise SettingsError(
            f"name={name!r}: must be letters, digits, _ and ., first a letter, and none of HTTP's own"
        )
    if not values or not all(isinstance(each, str) and each and not _CONTROL.search(each) for each in values):
        raise SettingsError(f"values={values!r}: must be a list of at least one text that is not empty")
    if header is not None and not (isinstance(header, str) and _HEADER.fullmatch(header)):
        raise SettingsError(f"header={header!r}: must be the name of an HTTP header")


def _of_text(text: str) -> DeclaredAttribute:
    name, _, values = text.partition("=")
    name, _, header = name.partition(":")
    return _made(name.strip(), filter(None, map(str.strip, values.split(","))), header.strip() or None)


def _made(name: str, values: Any, header: str | None = None) -> DeclaredAttribute:
    try:
        return DeclaredAttribute(name, values, header=header)
    except (TypeError, ValueError):
        raise ValueError(WORDS) from None


def _label(name: str) -> str:
    """The name on the page: two of them must not become the same label."""
    return name.replace(".", "_")
