"""An app of Quart."""

import os

from quart import Quart

app = Quart(__name__)


@app.get("/work/<int:number>")
async def work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())
