"""Options: how one setting is read, from an argument or from environment variables, and how it is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from dualmetrics.config.parsers import Parser, PartlyUsableError

_KEY = "option"

_IGNORED = "dualmetrics: %s=%s: must be %s. The variable is ignored"
_PARTLY_USED = "dualmetrics: %s=%s: must be %s; %s"

Warn = Callable[..., None]
"""Logs a warning: a message and its arguments, as `logging.Logger.warning` takes them."""


class SettingsError(ValueError):
    """A setting has a value that is not allowed.

    The message names the variable or argument, its value (unless it is secret), and what is allowed.
    """


class Option(NamedTuple):
    """How to read one setting. The first of its variables that is set and not empty is used.

    ``show`` replaces ``repr`` where a value may be secret. If ``protects``, an empty variable is refused: it
    would leave something open that somebody wanted to protect. If ``merges``, an argument (a mapping) is
    added to the variable.
    """

    parse: Parser[Any]
    variables: tuple[str, ...]
    show: Callable[[object], str] = repr
    protects: bool = False
    merges: bool = False


class Given(NamedTuple):
    """The value of a setting that is given, and the argument or variable that gives it."""

    value: Any
    source: str

    @property
    def from_opentelemetry(self) -> bool:
        """Whether a variable of OpenTelemetry gives it. A bad value is then ignored and not refused."""
        return _is_opentelemetrys(self.source)


def otlp_variables(name: str) -> tuple[str, str]:
    """Return the variables of an OTLP option: the one for metrics, which wins, and that for all signals."""
    return f"OTEL_EXPORTER_OTLP_METRICS_{name}", f"OTEL_EXPORTER_OTLP_{name}"


def setting(
    parse: Parser[Any],
    *variables: str,
    default: object = None,
    factory: Callable[[], object] | None = None,
    **more: Any,
) -> Any:
    """Return a dataclass field that is read from an argument of its name, or from these variables.

    ``more`` are further fields of `Option`.
    """
    metadata = {_KEY: Option(parse, variables, **more)}
    if factory:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def options_of(settings: type) -> dict[str, Option]:
    """Return the options among the fields of a dataclass, by name."""
    return {
        field.name: field.metadata[_KEY] for field in dataclasses.fields(settings) if _KEY in field.metadata
    }


def resolve(
    options: Mapping[str, Option], environ: Mapping[str, str], arguments: Mapping[str, object], warn: Warn
) -> dict[str, Given]:
    """Return the settings that are given.

    Raises SettingsError for the first bad argument or variable of our own. A bad variable of OpenTelemetry is
    ignored with a warning, as its specification asks ("Environment Variables", "Common Configuration").
    """
    given: dict[str, Given] = {}
    for name, option in options.items():
        argument = arguments.get(name)
        found = None if argument is None else _of_argument(name, option, argument)
        if found is None or option.merges:
            found = _merged(_of_variables(option, environ, warn), found)
        if found is not None:
            given[name] = found
    return given


def _merged(of_variable: Given | None, of_argument: Given | None) -> Given | None:
    if of_variable is None or of_argument is None:
        return of_variable or of_argument
    return of_argument._replace(value={**of_variable.value, **of_argument.value})


def refusal(source: str, shown: str, allowed: str) -> str:
    """Return the message about a bad value. ``allowed`` follows "must be"."""
    return f"{source}={shown}: must be {allowed}"


def refuse_or_ignore(given: Given, shown: str, allowed: str, warn: Warn) -> None:
    """Raise SettingsError for a bad value, or warn if a variable of OpenTelemetry gives it."""
    if not given.from_opentelemetry:
        raise SettingsError(refusal(given.source, shown, allowed))
    warn(_IGNORED, given.source, shown, allowed)


def _of_argument(name: str, option: Option, value: object) -> Given:
    source = f"argument {name} ({option.variables[-1]})" if option.variables else f"argument {name}"
    try:
        return Given(option.parse(value), source)
    except ValueError as error:
        raise SettingsError(refusal(source, option.show(value), str(error))) from None


def _of_variables(option: Option, environ: Mapping[str, str], warn: Warn) -> Given | None:
    """Return what the first of the variables gives that is set, not empty, and not ignored."""
    for variable in option.variables:
        text = environ.get(variable)
        if text is None or not (text.strip() or option.protects):
            continue
        found = _of_variable(option, variable, text.strip(), warn)
        if found is not None:
            return found
    return None


def _of_variable(option: Option, variable: str, text: str, warn: Warn) -> Given | None:
    try:
        return Given(option.parse(text), variable)
    except ValueError as error:
        bad = error
    if not _is_opentelemetrys(variable):
        shown = option.show(text) if text else "''"
        raise SettingsError(refusal(variable, shown, str(bad) if text else f"{bad}, or unset"))
    if not isinstance(bad, PartlyUsableError):
        warn(_IGNORED, variable, option.show(text), bad)
        return None
    warn(_PARTLY_USED, variable, option.show(text), bad, bad.outcome)
    return Given(bad.value, variable)


def _is_opentelemetrys(source: str) -> bool:
    return source.startswith("OTEL_")
