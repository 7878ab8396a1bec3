"""Durations, shares, splits and times on the command line: ``500ms``, ``5%``, ``90:10``, ``2030-01-31``."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from math import inf, isfinite, nan
from typing import Any

import click

from dualmetrics.config.endpoints import URL_WORDS, base_url, is_url

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""The length of each unit of a duration."""
_DURATION_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|min|m|h|d|w)"
_CENTURY_SECONDS = 100 * 365 * 86400.0
NOW = inf
"""What the word "now" stands for as a time. The clock of the source says when that is."""
_YEAR_9999 = datetime(9999, 1, 1, tzinfo=timezone.utc).timestamp()


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Seconds, from numbers with units, as the reports write them: ``90s`` or ``1h 30m``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        parts = re.findall(_DURATION_PART, text) if re.fullmatch(rf"({_DURATION_PART}\s*)+", text) else []
        seconds = sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts) if parts else inf
        if seconds > _CENTURY_SECONDS:
            self.fail(
                f"{value!r} is not a duration; write for example 500ms, 90s, 10m, 1h 30m or 7d", param, ctx
            )
        return seconds


class Share(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A fraction of one, from a number or a percentage.

    From ``unclear`` on a number must have a percent sign: ``0.5`` could be meant as half a percent.
    """

    name = "share"

    def __init__(self, unclear: float = inf) -> None:
        self._unclear = unclear

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = nan
        if not isfinite(share):
            self.fail(f"{value!r} is not a share; write for example .01 or 1%", param, ctx)
        if share >= self._unclear and not text.endswith("%"):
            meant = f"write {share * 100:g}%, or {share:g}% if that is meant"
            self.fail(f"{value!r} is unclear, because it is {share * 100:g} percent; {meant}", param, ctx)
        return share


class Split(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """The candidate's share of the traffic, from ``baseline:candidate``."""

    name = "split"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?):([0-9]+(?:\.[0-9]+)?)", str(value))
        baseline, candidate = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
        share = candidate / (baseline + candidate) if baseline + candidate else nan
        if not 0 < share < 1:
            self.fail(
                f"{value!r} is not a split; write baseline:candidate, for example 50:50 or 95:5", param, ctx
            )
        return share


class Splits(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """The parts of the traffic, such as ``50:25:25``. In a ramp each step has a length: ``99:1@2h,50:50``.

    ``1%`` is the same as ``99:1``. The last step of a ramp needs no length.
    """

    name = "split"

    def __init__(self, *, ramp: bool) -> None:
        self._ramp = ramp

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[tuple[float, ...], float], ...]:
        steps = str(value).split(",") if self._ramp else [str(value)]
        return tuple(
            self._step(step, param, ctx, last=number == len(steps)) for number, step in enumerate(steps, 1)
        )

    def _step(
        self, step: str, param: click.Parameter | None, ctx: click.Context | None, *, last: bool
    ) -> tuple[tuple[float, ...], float]:
        text, at, length = step.strip().partition("@")
        parts = _parts(text)
        if parts is None or (at and not self._ramp) or not (at or last):
            example = "1%@2h,10%@4h,50% or 98:1:1@2h,80:10:10" if self._ramp else "50:50 or 50:25:25"
            self.fail(f"{step!r} is not a split; write for example {example}", param, ctx)
        return parts, DURATION.convert(length, param, ctx) if at else inf


def _parts(text: str) -> tuple[float, ...] | None:
    """Return the parts of the traffic, or None if the text is not a split."""
    number = r"([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})"
    percent = re.fullmatch(rf"{number}%", text)
    if percent:
        share = float(percent[1])
        return (100 - share, share) if 0 < share < 100 else None
    if not re.fullmatch(rf"{number}(?::{number})+", text):
        return None
    parts = tuple(float(part) for part in text.split(":"))
    return parts if min(parts) > 0 else None


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Seconds since the epoch, from such a number or a time in ISO 8601, or `NOW` from the word "now".

    Without a zone the time is UTC.
    """

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if str(value).strip() == "now":
            return NOW
        try:
            seconds = _parse_moment(str(value))
        except (ValueError, OverflowError):
            seconds = nan
        if not 0 <= seconds < _YEAR_9999:
            self.fail(
                f"{value!r} is not a time; write for example 2030-01-31T12:00:00 (UTC), seconds, or now",
                param,
                ctx,
            )
        return seconds


def _parse_moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


class CollectorUrl(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """The base URL of a Collector, as ``OTEL_EXPORTER_OTLP_ENDPOINT`` has it."""

    name = "url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            url = base_url(value)
        except ValueError:
            url = ""
        if not is_url(url):
            self.fail(f"{value!r} is not {URL_WORDS}", param, ctx)
        return url


COLLECTOR_URL, DURATION, MOMENT, SHARE, SPLIT = CollectorUrl(), Duration(), Moment(), Share(), Split()
SPLITS, RAMP = Splits(ramp=False), Splits(ramp=True)
POINTS, FACTOR = Share(unclear=0.1), Share(unclear=1.0)
"""The margin of a difference of shares, and that of a factor."""
