"""uWSGI as a program: the package `pyuwsgi` is a module that cannot be run with ``-m``."""

from __future__ import annotations

import pyuwsgi  # type: ignore[import-not-found]  # an extension without types

pyuwsgi.run()
