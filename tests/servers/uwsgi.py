"""Runs uWSGI: the package `pyuwsgi` is an extension module, which ``python -m`` cannot run."""

from __future__ import annotations

import pyuwsgi  # type: ignore[import-not-found]  # an extension without types

pyuwsgi.run()
