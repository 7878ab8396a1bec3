"""The routers that a FastAPI app has included."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from starlette.routing import BaseRoute


def expand_included(routes: Iterable[BaseRoute]) -> Iterable[Any]:
    """The routes, with each router that FastAPI has included replaced by its routes.

    Newer versions of FastAPI keep included routers whole. ``iter_route_contexts`` is the only function that
    lists their routes with full paths; it has no underscore, but is not documented. Older versions copy the
    routes.
    """
    expand = getattr(sys.modules.get("fastapi.routing"), "iter_route_contexts", iter)
    return expand(routes)
