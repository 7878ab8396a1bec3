"""The extras that commands need."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping

import click

EXTRA_MODULES: Mapping[str, tuple[str, ...]] = {
    "cli": (),  # without these there is no command line at all
    "demo": (
        "fastapi",
        "flask",
        "gunicorn",
        "opentelemetry.instrumentation.system_metrics",
        "prometheus_client",
        "psutil",
        "uvicorn",
        "websockets",
    ),
    "experiments": ("httpx", "junitparser", "matplotlib", "numpy", "prometheus_client", "scipy"),
}
"""A module of each distribution that an extra installs, besides those of the extra ``cli``."""


def require_extra(extra: str, ctx: click.Context) -> None:
    """Raise `click.UsageError` with the line to type unless all of the extra is installed."""
    missing = [name for name in EXTRA_MODULES[extra] if not _is_installed(name)]
    if missing:
        raise click.UsageError(
            f'This command needs an extra: pip install "dualmetrics[{extra}]"'
            f" (not installed: {', '.join(missing)})",
            ctx,
        )


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package that contains it is missing
        return False
