"""Has the apps of a framework record their requests, as soon as the framework is imported."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from dualmetrics_zero_code.frameworks import FRAMEWORKS
from dualmetrics_zero_code.import_hook import forget, when_imported

PREFIX = "dualmetrics_"
"""Begins the names of our instrumentors, as in ``dualmetrics_flask``."""

_patches: dict[str, list[Any]] = {}
"""What was replaced, by the name of the framework. A framework that is active has an entry."""


def activate(name: str) -> None:
    """Have the apps of a framework record, once the framework is imported. Never raises."""
    if name in _patches:
        return
    _patches[name] = []
    framework = FRAMEWORKS[name]
    silence(name)
    for module, installer in framework.installers.items():
        when_imported(module, partial(_guarded, name, partial(_install, name, installer)))


def activate_enabled() -> None:
    """Activate all frameworks but those that OTEL_PYTHON_DISABLED_INSTRUMENTATIONS names."""
    for name in enabled():
        activate(name)


def deactivate(name: str) -> None:
    """Restore what `activate` has replaced. Apps that have been called already go on recording."""
    for module in FRAMEWORKS[name].installers:
        forget(module)
    for patch in _patches.pop(name, ()):
        patch.remove()


def enabled() -> list[str]:
    """The frameworks that OTEL_PYTHON_DISABLED_INSTRUMENTATIONS does not name."""
    disabled = {
        name.strip() for name in os.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "").split(",")
    }
    return [name for name in FRAMEWORKS if "*" not in disabled and PREFIX + name not in disabled]


def silence(name: str) -> None:
    """Do not record the metrics of OpenTelemetry's instrumentation of a framework beside ours."""
    for scope in FRAMEWORKS[name].scopes:
        when_imported(scope, partial(_guarded, name, partial(_silence_scope, scope)))


def _silence_scope(scope: str) -> None:
    import_module("dualmetrics.zero_code").leave_unrecorded(scope)


def _install(name: str, installer: str) -> None:
    module, _, function = installer.partition(":")
    made = getattr(import_module(module), function)()
    _patches[name] += made if isinstance(made, list) else [made]


def _guarded(name: str, install: Callable[[], None]) -> None:
    try:
        install()
    except Exception as error:
        logging.getLogger("dualmetrics").warning(
            "dualmetrics: apps of %s are not recorded; dualmetrics supports %s: %r",
            name,
            FRAMEWORKS[name].requirement,
            error,
        )
