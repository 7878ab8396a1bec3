"""The result of a push."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ExportResult(NamedTuple):
    """Whether a push succeeded, how many of its points were rejected, and a message for the log."""

    success: bool
    rejected: int
    message: str


class ResponseSummary:
    """What the responses to one push say that the official exporter does not report.

    ``failure`` is the reason why the last request failed, empty if it succeeded. ``rejected`` counts the
    points that a Collector rejected from messages that it otherwise accepted, and ``reason`` is why.
    ``too_large`` says that the last message was refused because of its size. Whoever gives the exporter its
    messages then gives it smaller ones with the same points.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start the summary of another push."""
        self.failure = ""
        self.rejected = 0
        self.reason = ""
        self.too_large = False

    def reject(self, points: int, reason: str) -> None:
        """Record points that the Collector does not accept."""
        self.rejected += points
        self.reason = reason

    def read_log(self, lines: Sequence[str]) -> None:
        """Find out from what the exporter has logged about one message what it does not report otherwise."""
