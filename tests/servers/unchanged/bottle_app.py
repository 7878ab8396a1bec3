"""The default app of Bottle, which exists as soon as Bottle is imported."""

import os

import bottle

app = bottle.default_app()


@app.get("/work/<number:int>")  # type: ignore[untyped-decorator]  # Bottle has no types
def work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())
