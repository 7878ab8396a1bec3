"""An app without any metrics of its own, for ``opentelemetry-instrument``."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import requests
from flask import Flask
from sqlalchemy import create_engine, text


class Peer(BaseHTTPRequestHandler):
    """The HTTP server that the app calls."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Log nothing."""


app = Flask(__name__)
pool = ThreadPoolExecutor(1)
engine = create_engine("sqlite://")
peer: list[HTTPServer] = []


def peer_url() -> str:
    """Return the URL of this worker's peer, which is started when it is first needed."""
    if not peer:
        peer.append(HTTPServer(("127.0.0.1", 0), Peer))
        Thread(target=peer[0].serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{peer[0].server_port}/"


@app.get("/work/<int:number>")
def work(number: int) -> str:
    """Call the peer twice, and the database."""
    httpx.get(peer_url())
    requests.get(peer_url(), timeout=5)
    with engine.connect() as connection:
        connection.execute(text("select 1"))
    return str(os.getpid())
