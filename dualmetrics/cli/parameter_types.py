"""Durations, shares, splits and times on the command line: ``500ms``, ``5%``, ``90:10``, ``2030-01-31``."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from math import inf, isfinite, nan
from typing import Any

import click

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""The length of each unit of a duration."""


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Seconds, from a number with a unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|min|m|h|d|w)", str(value).strip())
        if match is None:
            self.fail(
                f"{value!r} is not a duration; write for example 500ms, 90s, 10m, 24h or 7d", param, ctx
            )
        return float(match[1]) * _UNIT_SECONDS[match[2]]


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
        match = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", str(value))
        if match is None or not float(match[1]) or not float(match[2]):
            self.fail(
                f"{value!r} is not a split; write baseline:candidate, for example 50:50 or 95:5", param, ctx
            )
        return float(match[2]) / (float(match[1]) + float(match[2]))


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Seconds since the epoch, from such a number or a time in ISO 8601. Without a zone the time is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            seconds = float(value)
        except ValueError:
            seconds = nan
        if isfinite(seconds):
            return seconds
        try:
            moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            self.fail(
                f"{value!r} is not a time; write for example 2030-01-31T12:00:00 (UTC), or seconds",
                param,
                ctx,
            )
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


DURATION, SHARE, SPLIT, MOMENT = Duration(), Share(), Split(), Moment()
POINTS, FACTOR = Share(unclear=0.1), Share(unclear=1.0)
"""The margin of a difference of shares, and that of a factor."""
