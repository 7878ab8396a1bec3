"""An app of Litestar."""

from __future__ import annotations

import os

from litestar import Litestar, MediaType, Router, get


@get("/{number:int}", media_type=MediaType.TEXT)
async def work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())


app = Litestar([Router("/work", route_handlers=[work])])
