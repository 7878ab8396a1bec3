"""Hides a push from OpenTelemetry's instrumentations of HTTP and gRPC clients."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext

_UTILITIES = "opentelemetry.instrumentation.utils"
"""The module that each instrumentation asks whether it is suppressed. It is loaded if there is one."""


def suppress_instrumentation() -> AbstractContextManager[None]:
    """Let this thread make no spans and no metrics of its requests, and send no trace context with them.

    Otherwise each push would make a span, and count in a metric that the next push carries. The SDK's own
    reader does the same, with a key that is private to OpenTelemetry's API.
    """
    suppress = getattr(sys.modules.get(_UTILITIES), "suppress_instrumentation", nullcontext)
    manager: AbstractContextManager[None] = suppress()
    return manager
