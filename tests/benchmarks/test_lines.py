"""The profile of a request follows the source of the middlewares."""

from __future__ import annotations

import inspect

import pytest

from benchmarks.lines import CALLS
from dualmetrics.asgi import middleware as asgi_middleware
from dualmetrics.asgi import request as asgi_request
from dualmetrics.wsgi import middleware as wsgi_middleware
from dualmetrics.wsgi import request as wsgi_request

SOURCE = "".join(
    map(inspect.getsource, (asgi_middleware, asgi_request, wsgi_middleware, wsgi_request)),
)


@pytest.mark.parametrize("call", CALLS)
def test_the_middlewares_make_the_calls_that_are_left_out(call: str) -> None:
    assert call in SOURCE
