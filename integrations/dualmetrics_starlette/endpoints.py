"""The templates that lead to each endpoint of an app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dualmetrics.middleware import METHODS
from dualmetrics_starlette.template import Template


class Candidates(NamedTuple):
    """All templates that lead to ``target``, an endpoint or a route.

    ``certain`` says that there is exactly one, so that the path need not be matched.
    """

    target: object
    templates: tuple[Template, ...]
    certain: bool

    def choose(self, method: str, path: str) -> str | None:
        """The template that a request took."""
        for template in self.templates:
            if template.accepts(method) and (self.certain or template.matches(path)):
                return template.text
        return None


CandidatesById = dict[int, Candidates]
"""Candidates by the ``id`` of their target. They hold the target, so the id stays its own."""


def group_by_target(ways: Iterable[tuple[object, Template | None]]) -> CandidatesById:
    """The candidates of each target."""
    templates_by_id: dict[int, tuple[object, list[Template]]] = {}
    for target, template in ways:
        templates = templates_by_id.setdefault(id(target), (target, []))[1]
        if template is not None:
            templates.append(template)
    return {
        key: Candidates(target, tuple(templates), certain=len(templates) == 1)
        for key, (target, templates) in templates_by_id.items()
    }


def certain_templates(candidates: CandidatesById) -> dict[tuple[int, str], str]:
    """The template of each target that has exactly one, by the id of the target and each accepted method."""
    return {
        (key, method): each.templates[0].text
        for key, each in candidates.items()
        for method in METHODS
        if each.certain and each.templates[0].accepts(method)
    }
