"""The reasons why no verdict can be given. Each has the exit status of the command."""

from __future__ import annotations

from typing import ClassVar


class ExperimentError(Exception):
    """No verdict can be given. The message is one sentence for the user."""

    status: ClassVar[int] = 4


class UsageError(ExperimentError):
    """The arguments are wrong or contradict each other."""

    status = 2


class TooEarlyError(ExperimentError):
    """Nothing that could be judged has been recorded yet."""

    status = 3


class InvalidExperimentError(ExperimentError):
    """The recorded data does not allow a comparison."""

    status = 4


class UnreachableError(ExperimentError):
    """The metrics cannot be read."""

    status = 5
