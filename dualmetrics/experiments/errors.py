"""Why there is no verdict: each with one sentence, and the exit status of the command."""

from __future__ import annotations

from typing import ClassVar


class ExperimentError(Exception):
    """No verdict can be given; the message is one sentence for a person."""

    status: ClassVar[int] = 4


class UsageError(ExperimentError):
    """The question makes no sense as it was put."""

    status = 2


class TooEarlyError(ExperimentError):
    """Nothing to judge has been recorded yet."""

    status = 3


class InvalidExperimentError(ExperimentError):
    """What was recorded allows no comparison."""

    status = 4


class UnreachableError(ExperimentError):
    """The metrics cannot be read."""

    status = 5
