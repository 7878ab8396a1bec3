"""Secrets are replaced in everything that is logged or shown."""

from __future__ import annotations

import pytest

from dualmetrics.runtime.redaction import masked_repr, redact_secrets, redact_url, redacted_url_repr


@pytest.mark.parametrize(
    ("url", "redacted"),
    [
        ("http://collector:4318", "http://collector:4318"),
        ("http://ann:hunter2@collector", "http://***@collector"),
        ("http://ann:hunter@2@collector", "http://***@collector"),
        ("ann:hunter2@collector", "***@collector"),
        ("http://collector/v1?key=hunter2", "http://collector/v1?***"),
    ],
)
def test_credentials_and_query_of_a_url_are_replaced(url: str, redacted: str) -> None:
    assert redact_url(url) == redacted
    assert redacted_url_repr(url) == repr(redacted)


def test_secrets_in_a_message_are_replaced_unless_they_are_very_short() -> None:
    assert redact_secrets(("hunter2", "abc"), "hunter2 and abc") == "*** and abc"


def test_only_a_missing_secret_is_shown() -> None:
    assert (masked_repr("hunter2"), masked_repr(None)) == ("***", "None")
