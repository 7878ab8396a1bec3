"""The status and the headers with which an app starts its response."""

from __future__ import annotations

import pytest

from dualmetrics.wsgi.response_start import UNKNOWN_LENGTH, content_length, status_code


@pytest.mark.parametrize(("status", "code"), [("200 OK", 200), ("404", 404), ("", -1), ("OK", -1)])
def test_status_code(status: str, code: int) -> None:
    assert status_code(status) == code


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([("Content-Type", "text/plain"), ("Content-Length", "4")], 4),
        ([("content-length", "4")], 4),
        ([], UNKNOWN_LENGTH),
        ([("content-length", "\u00b2"), ("Content-Length", "x")], UNKNOWN_LENGTH),
    ],
)
def test_content_length(headers: list[tuple[str, str]], length: int) -> None:
    assert content_length(headers) == length
