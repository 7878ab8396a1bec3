"""The requests to Prometheus' HTTP API that a comparison needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dualmetrics.experiments.errors import UnreachableError
from dualmetrics.experiments.sources.http_requests import send_request
from dualmetrics.runtime.redaction import redact_url

_TIMEOUT_SECONDS = 60.0


class PrometheusClient:
    """Queries one server. Raises `UnreachableError` if a request fails for any reason."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url.rstrip("/")
        self._shown_url = redact_url(self._url)
        self._headers = headers

    @contextmanager
    def reading_answers(self) -> Iterator[None]:
        """Raise `UnreachableError` if the block cannot read an answer as one of a Prometheus."""
        try:
            yield
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as error:
            raise UnreachableError(
                f"{self._shown_url} does not answer like a Prometheus: {error!r}."
            ) from error

    def query(self, query: str, at: float | None = None) -> Any:
        """Return the result of an instant query."""
        parameters = {"query": query} | ({} if at is None else {"time": f"{at:.3f}"})
        return self._get("query", parameters)["result"]

    def samples(self, selector: str, end: float, seconds: float) -> Any:
        """Return every sample of the ``seconds`` before ``end``."""
        return self.query(f"{selector}[{max(1, round(seconds * 1000))}ms]", end)

    def query_range(self, query: str, start: float, end: float, step: float) -> Any:
        """Return the result of a query at each step."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return self._get("query_range", {"query": query} | times)["result"]

    def values(self, label: str, selector: str | None, start: float, end: float) -> list[str]:
        """Return the values of a label among the series that a selector matches. None matches all series."""
        parameters = {"start": f"{start:.3f}", "end": f"{end:.3f}"}
        if selector is not None:
            parameters["match[]"] = selector
        return [str(value) for value in self._get(f"label/{label}/values", parameters)]

    def _get(self, path: str, parameters: dict[str, str]) -> Any:
        response = send_request(
            "GET", f"{self._url}/api/v1/{path}", _TIMEOUT_SECONDS, parameters, self._headers
        )
        try:
            answer = response.json()
        except ValueError as error:
            message = (
                f"{self._shown_url} answers with status {response.status_code}, but is not a Prometheus."
            )
            raise UnreachableError(message) from error
        return self._data(answer)

    def _data(self, answer: Any) -> Any:
        if not isinstance(answer, dict) or answer.get("status") != "success":
            reason = answer.get("error") if isinstance(answer, dict) else None
            raise UnreachableError(f"{self._shown_url} refuses the query: {reason or 'no reason given'}.")
        return answer["data"]
