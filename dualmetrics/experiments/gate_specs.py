"""What gates on any metric are asked to judge: ``orders_failed/orders, margin=0.2%``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf
from typing import ClassVar

from dualmetrics.experiments.errors import UsageError
from dualmetrics.experiments.gates import Aim
from dualmetrics.experiments.selectors import SELECTOR, Selector

_SETTINGS = r"((?:,[^,]*)*)"
_RATIO = re.compile(rf"({SELECTOR})/({SELECTOR}){_SETTINGS}")
_ONE_METRIC = re.compile(rf"({SELECTOR}){_SETTINGS}")
SHARE_MARGIN, FACTOR_MARGIN = 0.005, 0.05
"""The margins that hold if none is given: half a percentage point, and five percent."""


@dataclass(frozen=True)
class RatioSpec:
    """The ratio of two counters: a share, or with ``factor`` an amount for each unit."""

    title: str
    numerator: Selector
    denominator: Selector
    aim: Aim
    factor: bool = False

    @property
    def is_factor(self) -> bool:
        """Whether the margin is that of a factor, not of a difference of shares."""
        return self.factor


@dataclass(frozen=True)
class HistogramSpec:
    """The mean of a histogram, its ``quantile``, or the share of its values ``above`` a bucket bound."""

    title: str
    metric: Selector
    aim: Aim
    quantile: float | None = None
    above: float | None = None

    @property
    def is_factor(self) -> bool:
        """Whether the margin is that of a factor, not of a difference of shares."""
        return self.above is None

    @property
    def mean(self) -> bool:
        """Whether the mean is judged."""
        return self.quantile is None and self.above is None


@dataclass(frozen=True)
class HostSpec:
    """The CPU seconds for each request, or the memory of a process or host."""

    title: str
    kind: str
    """"CPU" or "memory"."""
    aim: Aim
    metric: Selector | None = None
    """The metric, once it is known what is recorded."""
    is_factor: ClassVar[bool] = True


GateSpec = RatioSpec | HistogramSpec | HostSpec


def parse_ratio(text: str) -> RatioSpec:
    """Read ``NUMERATOR/DENOMINATOR`` with settings after commas. Raises `UsageError`."""
    match = _RATIO.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no ratio of two metrics; write for example orders_failed/orders.")
    settings = _Settings.read(text, match[3], {"factor"})
    numerator, denominator = Selector.parse(match[1]), Selector.parse(match[2])
    factor = settings.has("factor")
    aim = settings.aim(factor=factor)
    name = f"{match[1].strip()}/{match[2].strip()}" + (", factor" if factor else "")
    return RatioSpec(_title(name, aim), numerator, denominator, aim, factor)


def parse_histogram(text: str) -> HistogramSpec:
    """Read the name of a histogram with settings after commas. Raises `UsageError`."""
    match = _ONE_METRIC.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no metric; write for example shop_basket_value, or with , up=good.")
    settings = _Settings.read(text, match[2], {"quantile", "above"})
    quantile, above = settings.number("quantile"), settings.number("above")
    if quantile is not None and (above is not None or not 0 < quantile < 1):
        raise UsageError(
            f"{text!r}: quantile must lie between 0 and 1, and above cannot be combined with it."
        )
    kind = "mean" if quantile is None else f"p{quantile * 100:g}"
    name = match[1].strip()
    title = f"{kind} of {name}" if above is None else f"{name} above {above:g}"
    aim = settings.aim(factor=above is None)
    return HistogramSpec(_title(title, aim), Selector.parse(match[1]), aim, quantile, above)


def _title(text: str, aim: Aim) -> str:
    return f"goal: {text}" if aim.goal else text


def host_spec(kind: str, margin: float) -> HostSpec:
    """Return the gate for "CPU" or "memory". Raises `UsageError` for a wrong margin."""
    title = "CPU per request" if kind == "CPU" else kind
    return HostSpec(title, kind, _checked(Aim(margin), kind, factor=True))


@dataclass(frozen=True)
class _Settings:
    """The settings of one gate, by name. Those without a value are empty."""

    text: str
    values: dict[str, str]

    @classmethod
    def read(cls, text: str, settings: str, more: set[str]) -> _Settings:
        allowed = {"up", "goal", "margin", *more}
        values: dict[str, str] = {}
        for setting in settings.split(",")[1:]:
            name, equals, value = (part.strip() for part in setting.partition("="))
            if name not in allowed or name in values or bool(equals) == (name in ("goal", "factor")):
                expected = "up=good, goal, margin=1%" + "".join(f", {each}" for each in sorted(more))
                raise UsageError(f"{text!r}: {setting.strip()!r} is no setting; there are {expected}.")
            values[name] = value
        return cls(text, values)

    def has(self, name: str) -> bool:
        return name in self.values

    def number(self, name: str) -> float | None:
        if not self.has(name):
            return None
        value = self.values[name]
        percent = value.endswith("%")
        try:
            number = float(value.removesuffix("%")) / (100 if percent else 1)
        except ValueError:
            number = inf
        if not abs(number) < inf:
            raise UsageError(f"{self.text!r}: {name} must be a number, not {value!r}.")
        return number

    def aim(self, *, factor: bool) -> Aim:
        if self.values.get("up", "bad") not in ("good", "bad"):
            raise UsageError(f"{self.text!r}: up must be good or bad.")
        default = 0.0 if self.has("goal") else FACTOR_MARGIN if factor else SHARE_MARGIN
        margin = self.number("margin")
        if margin is not None and margin >= (1.0 if factor else 0.1) and "%" not in self.values["margin"]:
            raise UsageError(f"{self.text!r}: the margin is unclear; write it with a percent sign.")
        aim = Aim(default if margin is None else margin, self.values.get("up") == "good", self.has("goal"))
        return _checked(aim, self.text, factor=factor)


def _checked(aim: Aim, text: str, *, factor: bool) -> Aim:
    if not 0 <= aim.margin < inf or (aim.margin == 0 and not aim.goal):
        raise UsageError(f"{text!r}: the margin must be above 0; of a goal, 0 or more.")
    falls = aim.up_good is not aim.goal
    if aim.margin >= 1 and (falls or not factor):
        raise UsageError(f"{text!r}: the margin must be below 100 %.")
    return aim
