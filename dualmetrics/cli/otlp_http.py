"""An HTTP server that takes metrics as OTLP prescribes, and tells both sides why it refuses a request."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from dualmetrics.cli.http_body import RefusedError, decompress, read_body

PATH = "/v1/metrics"
DISCARD_SECONDS = 5
"""How long a refused body is read, so that its sender gets to read the answer."""

Take = Callable[[Mapping[str, str], ExportMetricsServiceRequest], None]
"""Takes the headers, in lower case, and the message of a request."""


class OtlpHttpServer(ThreadingHTTPServer):
    """Calls ``take`` with each request, one at a time, or ``refused`` with a sentence."""

    daemon_threads = True
    # On POSIX systems this allows a restart while old connections linger, but never two servers at once.
    allow_reuse_address = os.name == "posix"

    def __init__(
        self,
        family: socket.AddressFamily,
        address: Any,
        take: Take,
        refused: Callable[[str], None],
    ) -> None:
        self.address_family = family
        self.take = take
        self.refused = refused
        self.decoding = threading.Lock()
        """A small body can become a large message, so only one of them is in memory."""
        super().__init__(address, OtlpHandler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class OtlpHandler(BaseHTTPRequestHandler):
    """Serves one connection."""

    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds that a silent client may occupy a thread
    server: OtlpHttpServer

    def handle(self) -> None:
        """Serve the connection, unless its first bytes show that it does not speak HTTP/1."""
        start = self.connection.recv(3, socket.MSG_PEEK)
        if start == b"PRI":  # the preface of HTTP/2
            self.command, self.requestline, self.request_version = "", "", self.protocol_version
            self._refuse(
                HTTPStatus.HTTP_VERSION_NOT_SUPPORTED,
                "a client speaks gRPC (HTTP/2) to the port for HTTP: let it use the port for gRPC,"
                " or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            )
        elif start[:2] == b"\x16\x03":  # a TLS handshake
            self.server.refused("a client speaks TLS, which this receiver does not: let it use http://")
        else:
            super().handle()

    def do_POST(self) -> None:
        """Take one request, or answer why not."""
        try:
            self._check_head()
            body = read_body(self.headers, self.rfile)
            with self.server.decoding:
                message = _decode(decompress(self.headers, body))
                self.server.take({name.lower(): value for name, value in self.headers.items()}, message)
        except RefusedError as error:
            self._refuse(error.status, str(error))
        else:
            body = ExportMetricsServiceResponse().SerializeToString()
            self._answer(HTTPStatus.OK, "application/x-protobuf", body)

    def do_GET(self) -> None:
        """Tell a browser what is here."""
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, f"metrics are sent by POST, to {PATH}")

    def _check_head(self) -> None:
        path = self.path.partition("?")[0]
        if path != PATH:
            raise RefusedError(
                HTTPStatus.NOT_FOUND,
                f"the path is {path}, but metrics belong to {PATH}, with which an endpoint for metrics alone"
                " (OTEL_EXPORTER_OTLP_METRICS_ENDPOINT) must end",
            )
        if "json" in self.headers.get("content-type", "").lower():
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "the body is JSON, not protobuf: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            )

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what http.server cannot parse, in our form."""
        self.request_version = self.protocol_version  # else http.server would leave the status out
        status = HTTPStatus(code)
        self._refuse(status, message or status.phrase)

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        self.close_connection = True
        self.server.refused(f"refused with status {status.value}: {reason}")
        self._answer(status, "text/plain; charset=utf-8", f"{reason}\n".encode())
        self._discard_rest()

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _discard_rest(self) -> None:
        """Read what is still being sent. Otherwise the client would see a reset, and not the answer."""
        deadline = time.monotonic() + DISCARD_SECONDS
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(1)
            while time.monotonic() < deadline and self.connection.recv(65536):
                pass

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        """Log nothing. The server's ``take`` and ``refused`` are called instead."""


def _decode(body: bytes) -> ExportMetricsServiceRequest:
    try:
        return ExportMetricsServiceRequest.FromString(body)
    except DecodeError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not an OTLP message of metrics") from error
