"""The status of a Prometheus server, and the request to stop it."""

from __future__ import annotations

from typing import Any

import httpx

from dualmetrics.experiments.errors import InvalidExperimentError, UnreachableError
from dualmetrics.experiments.sources.tls import system_certificates

_TIMEOUT_SECONDS = 30.0


class PrometheusAdmin:
    """The management interface of one server. Raises `UnreachableError` if a request fails for any reason."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def is_ready(self) -> bool:
        """Return whether the server is up. Never raises."""
        try:
            return self._send("GET", "/-/ready", {}).status_code == 200
        except UnreachableError:
            return False

    def status(self, what: str) -> dict[str, Any]:
        """Return the status ``runtimeinfo``, ``flags`` or ``tsdb``."""
        status: dict[str, Any] = self._get(f"status/{what}", {})
        return status

    def active_targets(self) -> list[dict[str, Any]]:
        """Return the targets that are scraped now."""
        targets: list[dict[str, Any]] = self._get("targets", {"state": "active"})["activeTargets"]
        return targets

    def stop(self) -> None:
        """Ask the server to stop. Raises `InvalidExperimentError` if it refuses."""
        response = self._send("POST", "/-/quit", {})
        if response.status_code != 200:
            raise InvalidExperimentError(
                f"{self.url} refuses to stop (--web.enable-lifecycle is not set); stop it yourself first."
            )

    def _get(self, path: str, parameters: dict[str, str]) -> Any:
        response = self._send("GET", f"/api/v1/{path}", parameters)
        try:
            return response.json()["data"]
        except (ValueError, KeyError) as error:
            text = response.text.strip()[:200]
            raise UnreachableError(f"{self.url} is not a Prometheus, or refuses {path}: {text}") from error

    def _send(self, method: str, path: str, parameters: dict[str, str]) -> httpx.Response:
        try:
            return httpx.request(
                method,
                self.url + path,
                params=parameters,
                timeout=_TIMEOUT_SECONDS,
                verify=system_certificates(),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnreachableError(f"{self.url} cannot be reached: {error}.") from error
