"""Daemon threads that are threads of the operating system, under gevent as well."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any


def start_thread(name: str, target: Callable[..., None], *args: object) -> bool:
    """Run ``target(*args)`` in a daemon thread; False where none can be had, as at interpreter exit.

    gevent's monkey patching makes threads into greenlets, and a push would hold up the requests of its
    hub; so the original class is asked for.
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
