"""The page at one instant, asked by names and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from dualmetrics.exporters.prometheus.naming.values import label_value, sample_value
from dualmetrics.testing.known_names import KnownNames
from dualmetrics.testing.page_samples import PageSample

_NUMBERS = ("le", "quantile")
"""Labels whose values are numbers, which a test may write in its own way."""


class Value(float):
    """A number with the series that it was taken from, so that a failed comparison can show them."""

    def __new__(cls, number: float, question: str, lines: list[str]) -> Value:  # noqa: PYI034  # no subclass
        """Make the number that answers ``question``."""
        value = super().__new__(cls, number)
        value.question = question
        value.lines = lines or ["  (no series of this name)"]
        return value

    question: str
    lines: list[str]

    def __repr__(self) -> str:
        return sample_value(float(self))

    __str__ = __repr__


def explain(op: str, left: object, right: object) -> list[str] | None:
    """The lines that pytest shows for a failed comparison with a `Value`; None for any other."""
    value = left if isinstance(left, Value) else right
    if not isinstance(value, Value):
        return None
    return [f"{left!r} {op} {right!r}", value.question, *value.lines]


class Reading(NamedTuple):
    """The samples of a page, and the names of all metrics. Raises LookupError for what cannot be answered."""

    samples: list[PageSample]
    names: KnownNames

    def check(self, name: str) -> None:
        """Raise LookupError if there is no metric of this name."""
        __tracebackhide__ = True
        if self.names.sample(name) is None:
            similar = ", ".join(self.names.similar(name))
            hint = f"did you mean {similar}?" if similar else "it may not have been created yet"
            raise LookupError(f"no metric is called {name!r}: {hint}")

    def series(self, name: str) -> list[PageSample]:
        """All series of a metric."""
        sample = self.names.sample(name)
        return [each for each in self.samples if each.name == sample]

    def total(self, name: str, labels: Mapping[str, object]) -> float:
        """The sum of the series that have these labels. Raises LookupError if they cannot be added."""
        __tracebackhide__ = True
        wanted = {self.names.label(key): value for key, value in labels.items()}
        found = [each for each in self.series(name) if _has(each.labels, wanted)]
        if len(found) > 1 and self._cannot_be_added(name, wanted):
            lines = "\n".join(line(each) for each in found)
            raise LookupError(f"{question(name, labels)} has no sum; name one of these series:\n{lines}")
        return sum(each.value for each in found)

    def _cannot_be_added(self, name: str, wanted: Mapping[str, object]) -> bool:
        sample = self.names.sample(name) or ""
        return sample in self.names.gauges or (sample.endswith("_bucket") and "le" not in wanted)


def _has(labels: Mapping[str, str], wanted: Mapping[str, object]) -> bool:
    return all(_is(name, labels.get(name, ""), value) for name, value in wanted.items())


def _is(name: str, text: str, value: object) -> bool:
    if name in _NUMBERS and text:
        return float(text) == float(str(value))
    return text == _text(value)


def _text(value: object) -> str:
    if value is None:
        return ""
    return label_value(value) if isinstance(value, (str, bool, int, float)) else str(value)


def question(name: str, labels: Mapping[str, object]) -> str:
    """What was asked for, in the syntax of the page."""
    pairs = ",".join(f'{key}="{_text(value)}"' for key, value in labels.items())
    return f"{name}{{{pairs}}}" if pairs else name


def line(sample: PageSample, before: float | None = None) -> str:
    """A series and its value, or how the value has changed."""
    change = "" if before is None or before == sample.value else f"{sample_value(before)} -> "
    return f"  {sample.text} {change}{sample_value(sample.value)}"
