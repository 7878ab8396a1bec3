"""The floors do the arithmetic that they stand for, and the benchmark runs."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import floors
from benchmarks.apps import flask_app, starlette_app
from benchmarks.driver import asgi_server, wsgi_server


def serve(wrap: Callable[[Any, floors.Cells], Any], requests: int) -> floors.Cells:
    """The cells after so many requests through a floor."""
    cells = floors.Cells()
    if wrap is floors.asgi_floor:
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            asgi_server(wrap(starlette_app(), cells), loop)(requests)
    else:
        wsgi_server(wrap(flask_app(), cells))(requests)
    return cells


@pytest.mark.parametrize("wrap", [floors.asgi_floor, floors.wsgi_floor_at_start, floors.wsgi_floor_at_close])
def test_a_floor_counts_every_request_once(wrap: Callable[[Any, floors.Cells], Any]) -> None:
    cells = serve(wrap, 50)
    assert cells.active[0] == 0
    (row,) = cells.rows.values()
    assert row[0] == 50
    assert sum(row[1:-1]) == 50
    assert row[-1] > 0


def test_the_page_of_the_floor_is_a_page() -> None:
    row = [1.0] * (len(floors.BOUNDS) + 1) + [2.5]
    text = floors.PageFloor("took_seconds", ['route="/a"', 'route="/b"'], [row, row]).render().decode()
    (family,) = text_string_to_metric_families(text)
    samples = {
        (sample.name, sample.labels["route"], sample.labels.get("le")): sample.value
        for sample in family.samples
    }
    assert samples["took_seconds_bucket", "/b", "5.0"] == 1
    assert samples["took_seconds_bucket", "/b", "+Inf"] == samples["took_seconds_count", "/b", None] == 15
    assert samples["took_seconds_sum", "/a", None] == 2.5


def test_the_benchmark_measures_both_protocols() -> None:
    command = [sys.executable, "-m", "benchmarks.request_path"]
    command += ["--processes", "1", "--rounds", "2", "--requests", "200"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "asgi: dualmetrics adds" in done.stdout
    assert "wsgi: dualmetrics adds" in done.stdout
