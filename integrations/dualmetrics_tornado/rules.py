"""Which rule of a Tornado application matches a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import PathMatches, Rule

from dualmetrics.middleware import readable_regex


def template_for(router: Any, request: HTTPServerRequest) -> str | None:
    """The template of the rule that matches, also in a router inside a router; None if none does."""
    for rule in rules_of(router):
        if rule.matcher.match(request) is None:
            continue
        if has_rules(rule.target):
            template = template_for(rule.target, request)
            if template is not None:
                return template
        else:
            return template_of_rule(rule)
    return None


def patterns(router: Any) -> Iterator[str]:
    """The templates of all rules."""
    for rule in rules_of(router):
        if has_rules(rule.target):
            yield from patterns(rule.target)
        else:
            yield template_of_rule(rule) or ""


def rules_of(router: Any) -> list[Rule]:
    """The rules of a router or of an application."""
    rules: list[Rule] = getattr(router, "default_router", router).rules
    return rules


def has_rules(target: Any) -> bool:
    """Whether the target of a rule is a router or an application with rules of its own."""
    return hasattr(getattr(target, "default_router", target), "rules")


def template_of_rule(rule: Rule) -> str | None:
    """The pattern of a rule, with the names of its groups in their place."""
    return readable_regex(rule.matcher.regex.pattern) if isinstance(rule.matcher, PathMatches) else None
