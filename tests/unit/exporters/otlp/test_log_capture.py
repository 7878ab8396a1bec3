"""Log lines of other libraries during a push."""

from __future__ import annotations

import pytest
import requests

from dualmetrics.exporters.otlp.log_capture import capture_log
from tests.chaos import bad_collectors

UNPARSABLE_HEADERS = bad_collectors.send_bytes(b"HTTP/1.1 200 OK\r\n\xff no header\r\nfoo\r\n\r\nxx")


def test_urllib3_logs_the_whole_url_of_a_response_with_unparsable_headers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If this fails, `capture_log` needs no filter on the logger of urllib3."""
    with bad_collectors.tcp(UNPARSABLE_HEADERS) as url:
        requests.get(f"{url}/?key=secret", timeout=5)
    [record] = [record for record in caplog.records if record.name == "urllib3.connection"]
    assert "key=secret" in record.getMessage()


def test_captured_lines_of_urllib3_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with bad_collectors.tcp(UNPARSABLE_HEADERS) as url, capture_log(object()) as captured:
        requests.get(f"{url}/?key=secret", timeout=5)
    assert "key=secret" in captured.text
    assert caplog.records == []
