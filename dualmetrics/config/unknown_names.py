"""Arguments and variables that do not exist: a message about one names those that may be meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

from dualmetrics.config.options import Option, Warn

_UNKNOWN = "dualmetrics: %s is no setting, and has no effect.%s Rename or unset it; README lists all settings"

_PREFIX = "DUALMETRICS_"
_PREFIXES = re.compile(r"^(dualmetrics|otel_exporter_otlp_metrics|otel_exporter_otlp|otel|prometheus)_")

_OF_KUBERNETES = re.compile(r"_SERVICE_(HOST|PORT)|_PORT_\d+_(TCP|UDP|SCTP)")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")
"""Kubernetes sets such variables in every container if a service is called ``dualmetrics``."""


def check_arguments(arguments: Iterable[str], options: Mapping[str, Option]) -> None:
    """Raise TypeError if an argument is none of the options."""
    names = _spellings(options, {name: name for name in options})
    for argument in arguments:
        if argument not in options:
            suggestion = _suggestion(argument, names)
            raise TypeError(f"unknown setting {argument}.{suggestion} README lists all settings")


def warn_of_unknown_variables(environ: Mapping[str, str], options: Mapping[str, Option], warn: Warn) -> None:
    """Warn of each variable that begins like ours and is none."""
    known = {variable for option in options.values() for variable in option.variables}
    unknown = [name for name in environ if name.startswith(_PREFIX) and name not in known]
    if not unknown:
        return
    shortest = {name: min(option.variables, key=len) for name, option in options.items() if option.variables}
    names = _spellings(options, shortest)
    for name in unknown:
        if not _OF_KUBERNETES.search(name) and not _ADDRESS.match(environ[name]):
            warn(_UNKNOWN, name, _suggestion(name, names))


def _spellings(options: Mapping[str, Option], shown: Mapping[str, str]) -> dict[str, str]:
    """What a user may write for each option, in lower case, and what to show for it (by option)."""
    spellings: dict[str, str] = {}
    for name in shown:
        spellings[name] = shown[name]
        for variable in options[name].variables:
            spellings.setdefault(_PREFIXES.sub("", variable.lower()), shown[name])
    return spellings


def _suggestion(word: str, names: Mapping[str, str]) -> str:
    found = dict.fromkeys(names[name] for name in _nearest(_PREFIXES.sub("", word.lower()), names))
    return f" Did you mean {' or '.join(found)}?" if found else ""


def _nearest(word: str, names: Collection[str]) -> list[str]:
    """Return an almost equal name, else up to three that contain the word, else a similar one."""
    equal = get_close_matches(word, names, n=1, cutoff=0.8)
    containing = [name for name in names if word in name or name in word]
    return equal or get_close_matches(word, containing, 3, 0) or get_close_matches(word, names, 1, 0.55)
