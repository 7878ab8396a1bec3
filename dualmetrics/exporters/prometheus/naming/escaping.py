"""Escapes and quotes names for scrapers that do not accept every name (prometheus.io, *Escaping schemes*).

A scraper names a scheme with ``escaping=`` in its Accept header; the default is ``underscores``. Names of the
default translation have only letters, digits and underscores. They are the same in every scheme but ``dots``.
In text formats, names with other characters are quoted (Prometheus' UTF-8 syntax).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

Escape = Callable[[str], str]

DEFAULT_SCHEME = "underscores"

_PLAIN = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_SPECIAL = re.compile(r"^[0-9]|[^A-Za-z0-9_:]")
_SPECIAL_OR_UNDERSCORE = re.compile(r"^[0-9]|[^A-Za-z0-9:]")


def is_plain(name: str) -> bool:
    """Whether every Prometheus server accepts this name."""
    return _PLAIN.fullmatch(name) is not None


def _unescaped(name: str) -> str:
    return name


def _underscores(name: str) -> str:
    return _SPECIAL.sub("_", name)


def _dots(name: str) -> str:
    return _SPECIAL_OR_UNDERSCORE.sub(lambda match: "_dot_" if match[0] == "." else "__", name)


def _values(name: str) -> str:
    if is_plain(name):
        return name
    return "U__" + _SPECIAL_OR_UNDERSCORE.sub(_character_code, name)


def _character_code(match: re.Match[str]) -> str:
    return "__" if match[0] == "_" else f"_{ord(match[0]):x}_"


ESCAPING_SCHEMES: dict[str, Escape] = {
    "underscores": _underscores,
    "allow-utf-8": _unescaped,
    "dots": _dots,
    "values": _values,
}
"""The schemes by their names in the Accept header.

``underscores`` replaces each character that is not plain by an underscore. ``allow-utf-8`` leaves names as
they are. ``dots`` replaces a dot by ``_dot_``, and an underscore or other special character by ``__``.
``values`` prefixes ``U__`` and replaces special characters by their codes, but leaves plain names alone.
"""


def escape_label_name(name: str, escape: Escape) -> str:
    """A label's name in a scheme, without colons and without the leading ``__`` that Prometheus reserves."""
    if escape is _unescaped:
        return name
    escaped = escape(name.replace(":", "_"))
    return f"key{escaped}" if escaped.startswith("__") else escaped


def escape_text(text: str) -> str:
    """Text between quotes. Characters that UTF-8 cannot encode (lone surrogates) become ``?``."""
    text = text.encode("utf-8", "replace").decode()
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(4096)
def quote_metric_name(name: str) -> str:
    """A metric's name in a line of metadata."""
    return name if is_plain(name) else f'"{escape_text(name)}"'


@lru_cache(4096)
def quote_label_name(name: str) -> str:
    """A label's name. In labels, a colon is not a plain character."""
    return name if is_plain(name) and ":" not in name else f'"{escape_text(name)}"'


def open_labels(name: str, labels: str) -> str:
    """A sample's line up to where another label can follow. ``labels`` is the text of the labels so far."""
    start = f"{name}{{" if quote_metric_name(name) == name else f"{{{quote_metric_name(name)},"
    return f"{start}{labels}," if labels else start


def sample_prefix(name: str, labels: str) -> str:
    """A sample's line up to the space before its value."""
    if not labels and quote_metric_name(name) == name:
        return name
    return f"{open_labels(name, labels)[:-1]}}}"
