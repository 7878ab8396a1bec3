"""Which series of a metric count, written as in PromQL: ``orders_total{status="failed"}``."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import NamedTuple

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.samples import SampleLabels

_MATCHER = r'\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"\s*'
_MATCHER_PARTS = re.compile(r'([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')
SELECTOR = rf"\s*(?:[a-zA-Z_:][a-zA-Z0-9_:.]*)\s*(?:\{{(?:{_MATCHER},?)*\}}\s*)?"
"""A regular expression without groups."""
MAX_SHOWN = 12

_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "!=": lambda value, wanted: value != wanted,
    "=~": lambda value, wanted: re.fullmatch(wanted, value) is not None,
    "!~": lambda value, wanted: re.fullmatch(wanted, value) is None,
}


class Matcher(NamedTuple):
    """A condition for one label."""

    label: str
    operator: str
    value: str

    def accepts(self, labels: SampleLabels) -> bool:
        """Return whether the labels fulfill it. A label that is missing is empty."""
        return _COMPARISONS[self.operator](labels.get(self.label, ""), self.value)


class Selector(NamedTuple):
    """A metric, and the conditions for its labels."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read a selector. Raises `UsageError` if it is none."""
        if not re.fullmatch(SELECTOR, text):
            raise UsageError(f'{text!r} is no metric; write for example orders_total{{status="failed"}}.')
        name, _, conditions = text.partition("{")
        matchers = tuple(_matcher(*parts) for parts in _MATCHER_PARTS.findall(conditions))
        return cls(name.strip().replace(".", "_"), matchers)

    def accepts(self, labels: SampleLabels) -> bool:
        """Return whether a series with these labels counts."""
        return all(matcher.accepts(labels) for matcher in self.matchers)


def _matcher(label: str, operator: str, quoted: str) -> Matcher:
    try:
        value = str(json.loads(quoted))
        if operator in ("=~", "!~"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of doubtful, but valid expressions
                re.compile(value)
    except (ValueError, re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"The condition {label}{operator}{quoted} cannot be read: {error}.") from error
    return Matcher(label, operator, value)


def find_metric(name: str, recorded: Collection[str], suffix: str = "") -> str:
    """Return the one recorded metric that is meant by ``name``.

    The name may be that of the instrument, without the ``suffix``, a prefix or the unit, which Prometheus'
    names have. Raises `UsageError` if no metric fits, or several.
    """
    kinds: tuple[Callable[[str], bool], ...] = (
        lambda metric: metric == name,
        lambda metric: metric == name + suffix,
        lambda metric: metric.endswith((f"_{name}", f"_{name}{suffix}")),
        lambda metric: metric.startswith(f"{name}_") and metric.endswith(suffix),
    )
    for fits in kinds:
        found = sorted(metric for metric in recorded if fits(metric))
        if len(found) > 1:
            raise UsageError(f"{name!r} may be {_listed(found)}; write the whole name.")
        if found:
            return found[0]
    raise UsageError(f"No metric {name!r} was recorded; there are {_nearest(name, recorded)}.")


def _nearest(name: str, recorded: Collection[str]) -> str:
    """Return the names that are most like it, or all of them."""
    near = get_close_matches(name, list(recorded), n=MAX_SHOWN, cutoff=0.5)
    return _listed(near or sorted(recorded))


def _listed(names: Collection[str]) -> str:
    shown = list(names)[:MAX_SHOWN]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "")
