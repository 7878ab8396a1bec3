"""The server's side of WSGI, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import setup_testing_defaults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def request_environ(method: str, target: str) -> dict[str, Any]:
    """The keys of an environ that depend on the request. ``target`` is a path, quoted."""
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
    }


class WsgiCall:
    """One call of a WSGI app. The constructor calls it, and raises what it raises.

    ``environ`` holds keys that differ from a plain ``GET /``. ``body`` is what the app returned.
    """

    def __init__(self, app: WSGIApplication, **environ: Any) -> None:
        self.environ: dict[str, Any] = {"SCRIPT_NAME": "", "PATH_INFO": "/", **environ}
        setup_testing_defaults(self.environ)
        self.started: list[str] = []
        """The status lines that the app has started responses with."""
        self.written: list[bytes] = []
        """The parts of the body that were sent."""
        self.body = app(self.environ, self.start_response)

    @property
    def status(self) -> int:
        """The status that the client receives; 500 if the app has started no response."""
        return int(self.started[-1][:3]) if self.started else 500

    def start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """What the app calls. Once a part was sent, an error is raised again (PEP 3333, *Error Handling*)."""
        if exc_info and self.written:
            raise exc_info[1].with_traceback(exc_info[2])
        self.started.append(status)
        return self.written.append

    def send_all(self) -> list[bytes]:
        """Send all parts of the body, and return them. Raises what the body raises."""
        for part in self.body:
            self.written.append(part)
        return self.written

    def close(self) -> None:
        """Close the body, as a server does at last."""
        close = getattr(self.body, "close", None)
        if close is not None:
            close()
