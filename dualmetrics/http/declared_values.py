"""The values of declared attributes, as they are recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dualmetrics.config.declared_attributes import DeclaredAttribute
from dualmetrics.http.request_attributes import OTHER
from dualmetrics.runtime.errors import ErrorReporter

HeaderReader = Callable[[Any, str], "str | None"]
"""Returns a header of a request, by its scope, environ or other carrier and its name in lower case."""

Values = tuple[tuple[str, str], ...]

_UNDECLARED = (
    "dualmetrics: current_request().set(%s=...) is ignored, because the attribute is not declared. Declare "
    "it with its values in the setting attributes"
)


class DeclaredValues:
    """Bounds the values of attributes to those that are declared."""

    def __init__(self, declared: Sequence[DeclaredAttribute], errors: ErrorReporter) -> None:
        self._errors = errors
        self._known = {each.name: frozenset(each.values) for each in declared}
        self._headers = [(each.name, each.header.lower()) for each in declared if each.header]
        self._functions = [(each.name, each.value_of) for each in declared if each.value_of]

    def bounded(self, name: str, value: object) -> str | None:
        """Return the text of a value, or ``_OTHER`` if it is not declared. None stands for no value."""
        if value is None:
            return None
        text = value if isinstance(value, str) else str(value)
        return text if text in self._known[name] else OTHER

    def knows(self, name: str) -> bool:
        """Whether an attribute is declared."""
        return name in self._known

    def report_undeclared(self, name: str) -> None:
        """Count and log a name that a handler has used."""
        self._errors.count()
        self._errors.log_once(f"undeclared {name}", _UNDECLARED, name)

    def of(self, told: dict[str, str | None], carrier: Any, read_header: HeaderReader) -> Values:
        """Return the attributes of a request, sorted by name. ``told`` is what its handler has said."""
        found: dict[str, str | None] = {}
        for name, header in self._headers:
            found[name] = self._called(name, read_header, carrier, header)
        for name, value_of in self._functions:
            value = self._called(name, value_of, carrier)
            if value is not None:
                found[name] = value
        found.update(told)
        return tuple(sorted((name, value) for name, value in found.items() if value is not None))

    def _called(self, name: str, function: Callable[..., object], *arguments: Any) -> str | None:
        try:
            return self.bounded(name, function(*arguments))
        except Exception as error:
            self._errors.error(f"finding the value of the attribute {name}", error)
            return None
