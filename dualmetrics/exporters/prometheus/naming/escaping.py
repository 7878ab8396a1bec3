"""Names for scrapers that do not take every name (prometheus.io, *Escaping schemes*).

A scraper says ``escaping=`` in its Accept header; one that says nothing gets ``underscores``. Names of the
default translation have letters, digits and underscores only, and are the same in each scheme but ``dots``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Escape = Callable[[str], str]

DEFAULT = "underscores"

_PLAIN = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_SPECIAL = re.compile(r"^[0-9]|[^A-Za-z0-9_:]")
_SPECIAL_OR_UNDERSCORE = re.compile(r"^[0-9]|[^A-Za-z0-9:]")


def plain(name: str) -> bool:
    """Whether every Prometheus takes this name."""
    return _PLAIN.fullmatch(name) is not None


def unescaped(name: str) -> str:
    """``allow-utf-8``: any name as it is."""
    return name


def underscores(name: str) -> str:
    """``underscores``: one for each character that is not plain."""
    return _SPECIAL.sub("_", name)


def dots(name: str) -> str:
    """``dots``: a dot becomes ``_dot_``, an underscore or anything else that is not plain ``__``."""
    return _SPECIAL_OR_UNDERSCORE.sub(lambda found: "_dot_" if found[0] == "." else "__", name)


def values(name: str) -> str:
    """``values``: ``U__`` and each character that is not plain by its code; plain names as they are."""
    if plain(name):
        return name
    return "U__" + _SPECIAL_OR_UNDERSCORE.sub(_value, name)


def escaped_label(name: str, escape: Escape) -> str:
    """A label's name in a scheme: without colons, and without Prometheus' own two leading underscores."""
    if escape is unescaped:
        return name
    found = escape(name.replace(":", "_"))
    return f"key{found}" if found.startswith("__") else found


def _value(found: re.Match[str]) -> str:
    return "__" if found[0] == "_" else f"_{ord(found[0]):x}_"


SCHEMES: dict[str, Escape] = {
    "underscores": underscores,
    "allow-utf-8": unescaped,
    "dots": dots,
    "values": values,
}
"""By the word in the header."""
