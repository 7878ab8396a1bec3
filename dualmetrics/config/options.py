"""Options: how one setting is read, from an argument or from environment variables, and how it is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dualmetrics.config.parsers import Parser
from dualmetrics.runtime.errors import logger

_KEY = "option"


class SettingsError(ValueError):
    """A setting has a value that is not allowed.

    The message names the variable or argument, its value (unless it is secret), and what is allowed.
    """


class Option(NamedTuple):
    """How to read one setting. The first of its variables that is set and not empty is used."""

    parse: Parser[Any]
    variables: tuple[str, ...]
    show: Callable[[object], str] = repr
    lenient: bool = False


def otlp_variables(name: str) -> tuple[str, str]:
    """Return the variables of an OTLP option: the one for metrics, which wins, and that for all signals."""
    return f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def setting(
    parse: Parser[Any],
    *variables: str,
    default: object = None,
    factory: Callable[[], object] | None = None,
    show: Callable[[object], str] = repr,
    lenient: bool = False,
) -> Any:
    """Return a dataclass field that is read from an argument of its name, or from these variables.

    ``show`` replaces ``repr`` where a value may be secret. With ``lenient``, an unknown word in a variable
    means false and is logged, as OpenTelemetry requires for its booleans (specification, "Environment
    Variables").
    """
    metadata = {_KEY: Option(parse, variables, show, lenient)}
    if factory:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def options_of(settings: type) -> dict[str, Option]:
    """Return the options among the fields of a dataclass, by name."""
    return {
        field.name: field.metadata[_KEY] for field in dataclasses.fields(settings) if _KEY in field.metadata
    }


def resolve(
    options: Mapping[str, Option], environ: Mapping[str, str], arguments: Mapping[str, object]
) -> dict[str, Any]:
    """Return the values of the settings that are given. Raises SettingsError for the first bad one."""
    values = {}
    for name, option in options.items():
        source = source_of(name, option, environ, arguments)
        if source is not None:
            argument = arguments.get(name)
            values[name] = _parse(option, source, environ[source].strip() if argument is None else argument)
    return values


def source_of(
    name: str, option: Option, environ: Mapping[str, str], arguments: Mapping[str, object]
) -> str | None:
    """Return the argument or variable that gives the setting its value, as messages name it, or None."""
    if arguments.get(name) is not None:
        return f"argument {name} ({option.variables[-1]})" if option.variables else f"argument {name}"
    return next((variable for variable in option.variables if environ.get(variable, "").strip()), None)


def check_variables(options: Iterable[Option], environ: Mapping[str, str]) -> None:
    """Check all variables of these options, also those that another one overrides. Raises SettingsError."""
    for option in options:
        for variable in option.variables:
            resolve({variable: option._replace(variables=(variable,))}, environ, {})


def refusal(source: str | None, shown: str, allowed: str) -> str:
    """Return the message about a bad value. ``source`` is from `source_of`, ``allowed`` follows "must be"."""
    return f"{source}={shown}: must be {allowed}"


def _parse(option: Option, source: str, value: object) -> Any:
    try:
        return option.parse(value)
    except ValueError as error:
        message = refusal(source, option.show(value), str(error))
    if option.lenient and isinstance(value, str):
        logger.warning("dualmetrics: %s; it is taken as false", message)
        return False
    raise SettingsError(message)
