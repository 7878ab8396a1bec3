"""Prometheus' HTTP API, the few requests that are needed."""

from __future__ import annotations

from typing import Any

import httpx

from dualmetrics.experiments.errors import UnreachableError
from dualmetrics.experiments.sources.tls import system_certificates

TIMEOUT = 60.0


class PrometheusClient:
    """Asks one server. Raises `UnreachableError` whatever goes wrong."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url = url.rstrip("/")
        self._headers = headers

    def query(self, query: str, at: float | None = None) -> Any:
        """The result of an instant query."""
        parameters = {"query": query} | ({} if at is None else {"time": f"{at:.3f}"})
        return self._asked("query", parameters)["result"]

    def over_time(self, query: str, start: float, end: float, step: float) -> Any:
        """The result of a query at each step."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return self._asked("query_range", {"query": query} | times)["result"]

    def values(self, label: str, selector: str | None, start: float, end: float) -> list[str]:
        """The values of a label, among the series of a selector."""
        parameters = {"start": f"{start:.3f}", "end": f"{end:.3f}"}
        if selector is not None:
            parameters["match[]"] = selector
        return list(self._asked(f"label/{label}/values", parameters))

    def _asked(self, what: str, parameters: dict[str, str]) -> Any:
        try:
            url = f"{self._url}/api/v1/{what}"
            response = httpx.get(
                url, params=parameters, headers=self._headers, timeout=TIMEOUT, verify=system_certificates()
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"{self._url} cannot be reached: {reason}.") from error
        try:
            return self._data(response.json())
        except ValueError as error:
            message = f"{self._url} answers with status {response.status_code} and is no Prometheus."
            raise UnreachableError(message) from error

    def _data(self, answer: Any) -> Any:
        if not isinstance(answer, dict) or answer.get("status") != "success":
            reason = answer.get("error", "no reason given") if isinstance(answer, dict) else "no reason given"
            raise UnreachableError(f"{self._url} refuses the query: {reason}.")
        return answer["data"]
