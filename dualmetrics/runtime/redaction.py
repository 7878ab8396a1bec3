"""Hides secrets in what is logged or shown."""

from __future__ import annotations

import re
from collections.abc import Collection


def redact_url(url: str) -> str:
    """A URL for people: credentials and query hidden."""
    return re.sub(r"\?.*", "?***", re.sub(r"^(\w+://)?.*@", r"\1***@", url))


def masked_repr(value: object) -> str:
    """How a secret is shown."""
    return "None" if value is None else "***"


def redacted_url_repr(value: object) -> str:
    """How an endpoint is shown: it may carry credentials."""
    return "None" if value is None else repr(redact_url(str(value)))


def redact_secrets(secrets: Collection[str], message: str) -> str:
    """The message with every secret in it blackened; what is very short is no secret, and may be anywhere."""
    for secret in secrets:
        message = message.replace(secret, "***") if len(secret) > 3 else message
    return message
