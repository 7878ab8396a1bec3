"""Options: from where a setting is taken, the argument first, then its variables, and how it is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dualmetrics.config.parsers import Parser
from dualmetrics.runtime.errors import logger

_KEY = "option"


class SettingsError(ValueError):
    """A setting has a value that is not allowed; the text names it, its value unless secret, and what is."""


class Option(NamedTuple):
    """How to read one setting. The first of its variables that is set, and not empty, counts."""

    parse: Parser[Any]
    variables: tuple[str, ...]
    show: Callable[[object], str] = repr
    lenient: bool = False


def setting(
    parse: Parser[Any],
    *variables: str,
    default: object = None,
    factory: Callable[[], object] | None = None,
    show: Callable[[object], str] = repr,
    lenient: bool = False,
) -> Any:
    """A dataclass field that is read from an argument of its name, or from these variables.

    ``lenient``: an unknown word is false, with a warning, as OpenTelemetry demands it of its booleans
    (specification, "Environment Variables", "Boolean value").
    """
    metadata = {_KEY: Option(parse, variables, show, lenient)}
    if factory:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def options_of(settings: type) -> dict[str, Option]:
    """The options among the fields of a dataclass."""
    return {
        field.name: field.metadata[_KEY] for field in dataclasses.fields(settings) if _KEY in field.metadata
    }


def resolve(
    options: Mapping[str, Option], environ: Mapping[str, str], arguments: Mapping[str, object]
) -> dict[str, Any]:
    """The values of those settings that are given. Raises SettingsError for the first bad one."""
    found = {}
    for name, option in options.items():
        if arguments.get(name) is not None:
            found[name] = _parsed(option, _argument(name, option), arguments[name])
        else:
            for variable in _given(option, environ):
                found[name] = _parsed(option, variable, environ[variable].strip())
    return found


def check_foreign_variables(options: Iterable[Option], environ: Mapping[str, str]) -> None:
    """Refuse bad values of variables that others read. Raises SettingsError."""
    for option in options:
        for variable in option.variables:
            resolve({variable: option._replace(variables=(variable,))}, environ, {})


def _given(option: Option, environ: Mapping[str, str]) -> list[str]:
    return [variable for variable in option.variables if environ.get(variable, "").strip()][:1]


def _argument(name: str, option: Option) -> str:
    return f"argument {name} ({option.variables[-1]})" if option.variables else f"argument {name}"


def _parsed(option: Option, source: str, value: object) -> Any:
    try:
        return option.parse(value)
    except ValueError as error:
        message = f"{source}={option.show(value)}: must be {error}"
    if option.lenient and isinstance(value, str):
        logger.warning("dualmetrics: %s; taken as false", message)
        return False
    raise SettingsError(message)
