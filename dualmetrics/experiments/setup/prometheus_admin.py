"""A Prometheus server as its operator sees it: what it is, and what it may be told."""

from __future__ import annotations

from typing import Any

import httpx

from dualmetrics.experiments.errors import InvalidExperimentError, UnreachableError
from dualmetrics.experiments.sources.tls import system_certificates

TIMEOUT = 30.0
EVER = "10y"


class PrometheusAdmin:
    """The management side of one server. Raises `UnreachableError` whatever goes wrong."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return (
                httpx.get(f"{self.url}/-/ready", timeout=TIMEOUT, verify=system_certificates()).status_code
                == 200
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            return False

    def status(self, what: str) -> dict[str, Any]:
        """``runtimeinfo``, ``flags`` or ``tsdb``."""
        found: dict[str, Any] = self._get(f"status/{what}", {})
        return found

    def targets(self) -> list[dict[str, Any]]:
        """The targets that are scraped now."""
        found: list[dict[str, Any]] = self._get("targets", {"state": "active"})["activeTargets"]
        return found

    def series(self, matcher: str) -> int:
        """How many series have samples, at any time; a list of series would have deleted ones too."""
        return round(self.value(f"count(last_over_time({matcher}[{EVER}]))"))

    def value(self, query: str) -> float:
        """The sum of what a query finds now."""
        result = self._get("query", {"query": query})["result"]
        return sum(float(each["value"][1]) for each in result)

    def delete(self, matcher: str) -> None:
        """Delete series for good. Raises `InvalidExperimentError` where the server does not allow it."""
        for what in ("delete_series", "clean_tombstones"):
            given = {"match[]": matcher} if what == "delete_series" else {}
            response = self._send("POST", f"/api/v1/admin/tsdb/{what}", given)
            if response.status_code != 204:
                reason = response.text.strip()[:200]
                message = f"{self.url} does not delete (it must run with --web.enable-admin-api): {reason}"
                raise InvalidExperimentError(message)

    def quit(self) -> None:
        """Ask it to end."""
        response = self._send("POST", "/-/quit", {})
        if response.status_code != 200:
            message = f"{self.url} does not end when asked to (--web.enable-lifecycle is off); stop it first."
            raise InvalidExperimentError(message)

    def _get(self, what: str, parameters: dict[str, str]) -> Any:
        response = self._send("GET", f"/api/v1/{what}", parameters)
        try:
            return response.json()["data"]
        except (ValueError, KeyError) as error:
            said = response.text.strip()[:200]
            raise UnreachableError(f"{self.url} is no Prometheus, or refuses {what}: {said}") from error

    def _send(self, method: str, path: str, parameters: dict[str, str]) -> httpx.Response:
        try:
            return httpx.request(
                method, self.url + path, params=parameters, timeout=TIMEOUT, verify=system_certificates()
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self.url} cannot be reached: {error}.") from error
