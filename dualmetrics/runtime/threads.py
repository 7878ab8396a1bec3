"""Daemon threads that are threads of the operating system, even under gevent."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any


def start_thread(name: str, target: Callable[..., None], *args: object) -> bool:
    """Run ``target(*args)`` in a daemon thread. Returns False if none can be started, as at interpreter exit.

    gevent's monkey patching turns threads into greenlets. A push in a greenlet would delay the requests that
    gevent serves, so this function uses the original class.
    """
    try:
        _thread_class()(target=target, args=args, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True


def _thread_class() -> Any:
    if "gevent.monkey" not in sys.modules:
        return threading.Thread
    return sys.modules["gevent.monkey"].get_original("threading", "Thread")
