"""The result of a push."""

from __future__ import annotations

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
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start the summary of another push."""
        self.failure = ""
        self.rejected = 0
        self.reason = ""
