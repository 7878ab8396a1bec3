"""Objects hear of forks in the order in which they were registered."""

from __future__ import annotations

import gc
import logging

import pytest

from dualmetrics.runtime import forking
from tests.forking import run_in_child


class Part:
    """Notes the hooks that are called."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self._name = name
        self._calls = calls
        forking.register(self)

    def before_fork(self) -> None:
        self._calls.append(f"before {self._name}")

    def after_fork_in_parent(self) -> None:
        self._calls.append(f"parent {self._name}")

    def after_fork_in_child(self) -> None:
        self._calls.append(f"child {self._name}")


class Silent:
    """A part that has no hook at all."""


def test_the_last_part_hears_first_of_a_coming_fork_and_last_of_one_that_happened() -> None:
    calls: list[str] = []
    parts = [Part("a", calls), Part("b", calls)]

    def child() -> None:
        assert calls == ["before b", "before a", "child a", "child b"]

    run_in_child(child)
    assert calls == ["before b", "before a", "parent a", "parent b"]
    assert len(parts) == 2


def test_a_part_that_is_gone_hears_nothing_and_is_not_kept_alive() -> None:
    calls: list[str] = []
    part = Part("a", calls)
    del part
    gc.collect()
    run_in_child(lambda: None)
    assert calls == []


def test_a_part_needs_no_hooks() -> None:
    part = Silent()
    forking.register(part)
    run_in_child(lambda: None)
    assert part is not None


def test_a_hook_that_fails_is_logged_and_the_other_parts_hear_of_the_fork(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing:
        def before_fork(self) -> None:
            raise RuntimeError("no")

    calls: list[str] = []
    first, failing = Part("a", calls), Failing()
    forking.register(failing)
    with caplog.at_level(logging.ERROR, "dualmetrics"):
        run_in_child(lambda: None)
    assert calls == ["before a", "parent a"]
    (message,) = caplog.messages
    assert message.startswith("dualmetrics: before_fork failed; the fork goes on")
    assert first is not None
