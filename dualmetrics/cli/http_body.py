"""The body of an HTTP request: of a known length or in chunks, compressed or not, and never too large."""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Callable, Mapping
from email.message import Message
from http import HTTPStatus

MAX_BODY_BYTES = 20 * 2**20
"""The limit of a body, both as it is sent and decompressed. A Collector has the same limit by default."""
_MAX_LINE_BYTES = 8192
_MAX_TRAILERS = 100


class RefusedError(Exception):
    """The request is not accepted. The message tells the sender why."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


def read_body(headers: Message, stream: io.BufferedIOBase) -> bytes:
    """Read the body of a request as it was sent.

    Raises `RefusedError`, and OSError if the client goes away.
    """
    lengths = {length.strip() for length in headers.get_all("content-length", ())}
    transfer_coding = (headers.get("transfer-encoding") or "").strip().lower()
    if transfer_coding == "chunked" and not lengths:
        return _read_chunks(stream)
    if transfer_coding:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the only transfer-encoding is chunked, without a length")
    length = lengths.pop() if lengths else "0"
    if lengths or not re.fullmatch("[0-9]{1,18}", length, re.ASCII):
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the content-length is {length!r}, not one number")
    _check_size(int(length), "sent")
    return _read_exactly(stream, int(length))


def decompress(headers: Message, body: bytes) -> bytes:
    """Return the body without its content-encoding. Raises `RefusedError`."""
    coding = (headers.get("content-encoding") or "identity").strip().lower()
    if coding not in _DECOMPRESS:
        known = ", ".join(_DECOMPRESS)
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the content-encoding is {coding!r}, not one of {known}")
    try:
        plain = _DECOMPRESS[coding](body)
    except (OSError, EOFError, zlib.error) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is not valid {coding}: {error}") from error
    _check_size(len(plain), "decompressed")
    return plain


def _read_chunks(stream: io.BufferedIOBase) -> bytes:
    body = bytearray()
    while size := _read_chunk_size(stream):
        _check_size(len(body) + size, "sent")
        body += _read_exactly(stream, size)
        if stream.readline(3) not in (b"\r\n", b"\n"):
            raise RefusedError(HTTPStatus.BAD_REQUEST, "a chunk does not end where its size says")
    for _ in range(_MAX_TRAILERS):
        if stream.readline(_MAX_LINE_BYTES).strip() == b"":
            return bytes(body)
    raise RefusedError(HTTPStatus.BAD_REQUEST, "there are too many trailers after the last chunk")


def _read_chunk_size(stream: io.BufferedIOBase) -> int:
    line = stream.readline(_MAX_LINE_BYTES)
    size = re.fullmatch(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?\r?\n", line, re.DOTALL)
    if size is None:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "the body is not valid chunked: a chunk has no size")
    return int(size[1], 16)


def _read_exactly(stream: io.BufferedIOBase, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body ends after {len(data)} of {size} bytes")
    return data


def _check_size(size: int, how: str) -> None:
    if size > MAX_BODY_BYTES:
        raise RefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body has more than {MAX_BODY_BYTES // 2**20} MiB ({how}); send fewer metrics at once",
        )


def _gunzip(body: bytes) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        return file.read(MAX_BODY_BYTES + 1)


def _inflate(body: bytes) -> bytes:
    inflater = zlib.decompressobj()
    plain = inflater.decompress(body, MAX_BODY_BYTES + 1)
    if not inflater.eof and len(plain) <= MAX_BODY_BYTES:
        raise EOFError("it ends too early")
    return plain


_DECOMPRESS: Mapping[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": _gunzip,
    "deflate": _inflate,
}
