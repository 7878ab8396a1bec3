"""The session through which the official HTTP exporter sends messages that were encoded here."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import requests
from opentelemetry.sdk.metrics.export import MetricsData

from dualmetrics.exporters.otlp.encoder import MessageBuilder, OtlpEncoder
from dualmetrics.exporters.otlp.message_size import MessageSizes
from dualmetrics.exporters.otlp.request_options import configured_auth, own_headers
from dualmetrics.model.snapshot import Snapshot

if TYPE_CHECKING:
    from dualmetrics.exporters.otlp.http_responses import Responses

_COMPRESS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


class PackedSession(requests.Session):
    """Replaces the body of each request by the message that `OtlpEncoder` has encoded.

    The official exporter keeps the retries, TLS, headers and timeouts, but its encoder is slow. So it gets an
    empty ``MetricsData`` for each message, and the body is filled in when its request arrives here.
    """

    def __init__(
        self, encoder: OtlpEncoder, responses: Responses, headers: Mapping[str, str] | None = None
    ) -> None:
        """``headers`` (in lower case) are those of the user; None stands for those of the variables."""
        super().__init__()
        self._encoder = encoder
        self._responses = responses
        self._headers = headers
        self._sizes = MessageSizes(responses)
        self._body = b""
        self._is_sent = False

    def messages(self, snapshot: Snapshot) -> Iterator[MetricsData]:
        """The input of the official exporter: one empty message for each encoded one.

        Raises RuntimeError if the exporter has accepted a message but made no request for it.
        """
        messages = self._encoder.builders(snapshot, self._sizes.limit)
        for message in self._sizes.resend_in_parts(messages, _size, MessageBuilder.cut):
            self._body, self._is_sent = message.to_bytes(), False
            yield MetricsData([])
            if not self._is_sent:
                raise RuntimeError("the OTLP exporter has made no request for an empty message")

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send the current message and record the response. Raises requests.RequestException."""
        self._is_sent = True
        # If given here, the exporter's certificate takes precedence over REQUESTS_CA_BUNDLE.
        kwargs.setdefault("verify", self.verify)
        kwargs["headers"] = own_headers(kwargs["headers"], self._headers)
        kwargs["auth"] = configured_auth(kwargs["headers"], kwargs["url"])
        compress = _COMPRESS.get(kwargs["headers"].get("Content-Encoding", ""), bytes)
        kwargs["data"] = compress(self._body)
        try:
            response = super().request(*args, **kwargs)
        except requests.RequestException as error:
            self._responses.record_error(error)
            raise
        self._responses.record(response)
        return response


def _size(message: MessageBuilder) -> int:
    return message.size
