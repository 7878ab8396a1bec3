"""Checks for the extra that some commands need."""

from __future__ import annotations

import importlib.util

import click

EXPERIMENTS_MODULES = ("numpy", "scipy", "matplotlib", "httpx", "prometheus_client")


def require_experiments() -> None:
    """Exit with status 2 and the line to type if the extra ``experiments`` is not installed."""
    if any(importlib.util.find_spec(name) is None for name in EXPERIMENTS_MODULES):
        raise click.UsageError('This command needs an extra: pip install "dualmetrics[experiments]"')
