"""The floors of requests count every request."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import floors
from benchmarks.apps import flask_app, starlette_app
from benchmarks.in_process import asgi_server, wsgi_server

REQUESTS = 50


def serve(wrap: Callable[[Any, floors.RequestCells], Any]) -> floors.RequestCells:
    """The cells after some requests through a floor."""
    cells = floors.RequestCells()
    if wrap is floors.asgi_floor:
        with contextlib.closing(asyncio.new_event_loop()) as loop:
            asgi_server(wrap(starlette_app(), cells), loop=loop)(REQUESTS)
    else:
        wsgi_server(wrap(flask_app(), cells))(REQUESTS)
    return cells


@pytest.mark.parametrize("wrap", [floors.asgi_floor, floors.wsgi_floor_at_start, floors.wsgi_floor_at_close])
def test_a_floor_counts_every_request_once(wrap: Callable[[Any, floors.RequestCells], Any]) -> None:
    cells = serve(wrap)
    assert cells.active[0] == 0
    (row,) = cells.rows.values()
    assert row[0] == REQUESTS
    assert sum(row[1:-1]) == REQUESTS
    assert row[-1] > 0
