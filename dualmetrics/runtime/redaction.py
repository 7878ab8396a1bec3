"""Hides secrets in what is logged or shown. No other module decides how a secret is replaced."""

from __future__ import annotations

import re
from collections.abc import Collection


def redact_url(url: str) -> str:
    """Return the URL with ``***`` in place of its credentials and its query."""
    return re.sub(r"\?.*", "?***", re.sub(r"^(\w+://)?.*@", r"\1***@", url))


def masked_repr(value: object) -> str:
    """Return ``***`` in place of a secret. Used as the ``repr`` of a secret setting."""
    return "None" if value is None else "***"


def redacted_url_repr(value: object) -> str:
    """Return the ``repr`` of an endpoint, which may contain credentials."""
    return "None" if value is None else repr(redact_url(str(value)))


def redact_secrets(secrets: Collection[str], message: str) -> str:
    """Return the message with ``***`` in place of every secret in it.

    Secrets of up to three characters are ignored, because they may occur anywhere by chance.
    """
    for secret in secrets:
        message = message.replace(secret, "***") if len(secret) > 3 else message
    return message
