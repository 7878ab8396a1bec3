"""An app of FastAPI, in which apps of FastAPI and Flask are mounted."""

import os

from a2wsgi import WSGIMiddleware
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from flask import Flask

app = FastAPI()
inner = FastAPI()
flask = Flask(__name__)


@app.get("/work/{number}")
@inner.get("/work/{number}")
async def work(number: int) -> PlainTextResponse:
    """Answer with the worker's pid."""
    return PlainTextResponse(str(os.getpid()))


@flask.get("/work/<int:number>")
def flask_work(number: int) -> str:
    """Answer with the worker's pid."""
    return str(os.getpid())


app.mount("/inner", inner)
app.mount("/flask", WSGIMiddleware(flask))  # type: ignore[arg-type]  # it has its own types of ASGI
