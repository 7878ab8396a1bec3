"""The templates that lead to each endpoint of an app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from dualmetrics.middleware import METHODS
from dualmetrics_starlette.template import Template


class Candidates(NamedTuple):
    """All templates that lead to ``target``, an endpoint or a route."""

    target: object
    templates: tuple[Template, ...]

    def matching(self, path: str) -> list[Template]:
        """The templates that a path matches, whatever the method."""
        return [template for template in self.templates if template.matches(path)]


CandidatesById = dict[int, Candidates]
"""Candidates by the ``id`` of their target. They hold the target, so the id stays its own."""


def group_by_target(ways: Iterable[tuple[object, Template | None]]) -> CandidatesById:
    """The candidates of each target."""
    templates_by_id: dict[int, tuple[object, list[Template]]] = {}
    for target, template in ways:
        templates = templates_by_id.setdefault(id(target), (target, []))[1]
        if template is not None:
            templates.append(template)
    return {key: Candidates(target, tuple(templates)) for key, (target, templates) in templates_by_id.items()}


def sole_templates(candidates: CandidatesById) -> dict[tuple[int, str], Template]:
    """The template of each target that has exactly one, by the id of the target and each accepted method."""
    return {
        (key, method): template
        for key, each in candidates.items()
        if len(each.templates) == 1
        for template in each.templates
        for method in METHODS
        if template.accepts(method)
    }
