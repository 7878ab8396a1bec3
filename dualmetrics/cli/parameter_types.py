"""Durations, shares and times on the command line: ``500ms``, ``24h``; ``5%``, ``90:10``."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import click

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


class Duration(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Seconds, from a number with a unit."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)(ms|s|min|m|h|d|w)", str(value).strip())
        if found is None:
            self.fail(f"{value!r} is no duration; write 500ms, 90s, 10m, 24h or 7d", param, ctx)
        return float(found[1]) * UNITS[found[2]]


class Share(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """A part of one, from a number or percents."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            return float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            self.fail(f"{value!r} is no share; write .01 or 1%", param, ctx)


class Split(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """The candidate's part, from ``baseline:candidate``."""

    name = "split"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", str(value))
        if found is None or not float(found[1]) or not float(found[2]):
            self.fail(f"{value!r} is no split; write baseline:candidate, as 50:50 or 95:5", param, ctx)
        return float(found[2]) / (float(found[1]) + float(found[2]))


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3 only
    """Seconds since the epoch, from a time in ISO 8601 (UTC if it names no zone) or such a number."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            return float(value)
        except ValueError:
            pass
        try:
            found = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            self.fail(f"{value!r} is no time; write 2030-01-31T12:00:00 (UTC), or seconds", param, ctx)
        return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()


DURATION, SHARE, SPLIT, MOMENT = Duration(), Share(), Split(), Moment()
