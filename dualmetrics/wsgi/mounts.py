"""Tells which part of SCRIPT_NAME is a mount of this process, and which part a proxy or the server has added.

A mount, such as werkzeug's DispatcherMiddleware, moves a prefix from PATH_INFO to SCRIPT_NAME. The prefix
belongs to the route. Between our middleware and a router we see the path before and after. Outside of our
middleware we do not, so there these belong to the proxy or the server:

- what the setting ``root_path`` says, which alone decides if it is set
- what the server got: the environment variable SCRIPT_NAME, which gunicorn and CGI servers use, and
  ``mod_wsgi.script_name``
- what a proxy says in a header
- what the path in the request line does not begin with
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import unquote

from dualmetrics.http.marker import Carrier
from dualmetrics.http.mounts import MountPrefixes, begins_with, beyond
from dualmetrics.http.path_filter import decoded

_HEADERS = (
    "HTTP_X_FORWARDED_PREFIX",  # ProxyFix, Traefik
    "HTTP_X_SCRIPT_NAME",  # a common recipe for Flask behind nginx, and mod_wsgi
    "HTTP_X_FORWARDED_SCRIPT_NAME",  # mod_wsgi
    "HTTP_SCRIPT_NAME",  # gunicorn
)
_REQUEST_LINE = ("REQUEST_URI", "RAW_URI")


def mounted_at(mounts: MountPrefixes, root: str, path: str, environ: Carrier) -> str:
    """Return the part of ``root``, the SCRIPT_NAME of a request that arrived, that belongs to the route."""
    root = root.rstrip("/")
    if mounts.root_path is not None:
        return mounts.beyond_setting(root)
    outside = (known for known in _outside(root, path, environ) if known and begins_with(root, known))
    return beyond(root, max(outside, key=len, default=""))


def is_of_proxy(prefix: str, environ: Carrier) -> bool:
    """Whether middleware has taken a prefix from the path because a header of a proxy says so."""
    return prefix in _of_headers(environ)


def _outside(root: str, path: str, environ: Carrier) -> Iterator[str]:
    """What may be the part of ``root`` that a proxy or the server has added."""
    yield os.environ.get("SCRIPT_NAME", "").rstrip("/")
    yield decoded(environ.get("mod_wsgi.script_name", ""))
    yield from _of_headers(environ)
    yield _not_in_request_line(root, path, environ)


def _of_headers(environ: Carrier) -> Iterator[str]:
    for header in _HEADERS:
        for value in environ.get(header, "").split(","):
            yield decoded(value.strip().rstrip("/"))


def _not_in_request_line(root: str, path: str, environ: Carrier) -> str:
    """The beginning of ``root`` that was not in the path when the request arrived at the server."""
    target: str = next((environ[key] for key in _REQUEST_LINE if environ.get(key)), "")
    arrived = unquote(decoded(_path_of(target)))
    if not target or not arrived.endswith(path):
        return ""
    in_path = arrived[: len(arrived) - len(path)]
    return root[: len(root) - len(in_path)] if root.endswith(in_path) else ""


def _path_of(target: str) -> str:
    """The path of a request target, which may be a whole URL (RFC 9112, 3.2.2)."""
    path = target.partition("?")[0]
    return path if path.startswith("/") else "/" + path.partition("://")[2].partition("/")[2]
