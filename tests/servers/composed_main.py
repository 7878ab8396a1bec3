"""Serves `composed_app` by a server that has no command: gevent's, or werkzeug's with threads."""

from __future__ import annotations

import sys


def serve_with_gevent(port: int) -> None:
    """Serve forever."""
    from gevent import monkey  # type: ignore[import-untyped]  # it has no types

    monkey.patch_all()
    from gevent.pywsgi import WSGIServer  # type: ignore[import-untyped]  # the same

    from tests.servers.composed_app import app

    WSGIServer(("127.0.0.1", port), app).serve_forever()


def serve_with_werkzeug(port: int) -> None:
    """Serve forever."""
    from werkzeug.serving import make_server

    from tests.servers.composed_app import app

    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    {"gevent": serve_with_gevent, "werkzeug": serve_with_werkzeug}[sys.argv[1]](int(sys.argv[2]))
