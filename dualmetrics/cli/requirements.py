"""Commands that need an extra say so."""

from __future__ import annotations

import importlib.util

import click

EXPERIMENTS = ("numpy", "scipy", "matplotlib", "httpx", "prometheus_client")


def needs_experiments() -> None:
    """End with 2 and the line to type if the extra ``experiments`` is not installed."""
    if any(importlib.util.find_spec(name) is None for name in EXPERIMENTS):
        raise click.UsageError('This command needs an extra: pip install "dualmetrics[experiments]"')
