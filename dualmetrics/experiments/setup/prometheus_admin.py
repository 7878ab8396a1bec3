"""The status of a Prometheus server, and the request to stop it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from dualmetrics.experiments.errors import InvalidExperimentError, UnreachableError
from dualmetrics.experiments.sources.http_requests import send_request

_TIMEOUT_SECONDS = 30.0


class PrometheusAdmin:
    """The management interface of one server. Raises `UnreachableError` if a request fails for any reason."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def is_ready(self) -> bool:
        """Return whether the server is up. Never raises."""
        try:
            return self._send("GET", "/-/ready").status_code == 200
        except UnreachableError:
            return False

    def start_time(self) -> str:
        """Return when the server started, in ISO 8601."""
        return str(self._get("status/runtimeinfo", "startTime"))

    def series(self) -> int:
        """Return how many series the server has in memory."""
        return int(self._get("status/tsdb", "headStats", "numSeries"))

    def data_path(self) -> Path:
        """Return the directory where the server keeps its data."""
        return Path(str(self._get("status/flags", "storage.tsdb.path")))

    def active_targets(self) -> list[Mapping[str, Any]]:
        """Return the targets that are scraped now."""
        targets: list[Mapping[str, Any]] = self._get("targets", "activeTargets")
        return [target for target in targets if {"labels", "health"} <= target.keys()]

    def stop(self) -> None:
        """Ask the server to stop. Raises `InvalidExperimentError` if it refuses."""
        response = self._send("POST", "/-/quit")
        if response.status_code != 200:
            raise InvalidExperimentError(
                f"{self.url} refuses to stop (--web.enable-lifecycle is not set); stop it yourself first."
            )

    def _get(self, path: str, *keys: str) -> Any:
        """Return what is under the keys of an answer's data."""
        response = self._send("GET", f"/api/v1/{path}")
        try:
            value = response.json()["data"]
            for key in keys:
                value = value[key]
            return value
        except (ValueError, LookupError, TypeError) as error:
            text = response.text.strip()[:200]
            raise UnreachableError(f"{self.url} is not a Prometheus, or refuses {path}: {text}") from error

    def _send(self, method: str, path: str) -> httpx.Response:
        return send_request(method, self.url + path, _TIMEOUT_SECONDS)
