"""Answers a scrape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dualmetrics.asgi.page import respond
from dualmetrics.scrape.messages import ScrapeRequest, ScrapeResponse

if TYPE_CHECKING:
    from dualmetrics.telemetry import Telemetry


async def answer_scrape(
    telemetry: Telemetry, method: str, headers: Mapping[str, str], query: str, client: str | None
) -> ScrapeResponse:
    """Answer a scrape; ``client`` is the address of the peer.

    Waits without a thread while the page is rendered outside of the event loop. The answer is a 404 if
    ``prometheus`` is not among the exporters. Never raises.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    return await respond(telemetry, ScrapeRequest(method, lower, query, client))
