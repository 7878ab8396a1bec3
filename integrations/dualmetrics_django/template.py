"""The template of a route, as Django's resolver knows it."""

from __future__ import annotations

import re

from dualmetrics.middleware import readable_regex


def template_of(route: str) -> str:
    """Return the template of ``ResolverMatch.route``, which has all prefixes but no slash at its start.

    Routes of ``path`` are kept as the project wrote them. Those of ``re_path`` are made readable.
    """
    return "/" + (readable_regex(route) if re.search(r"[\^$\\(]", route) else route)
