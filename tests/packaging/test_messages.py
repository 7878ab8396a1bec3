"""Everything that the library says is on one page, says what to do, and names only what exists."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from dualmetrics.config.options import options_of
from dualmetrics.config.settings import Settings
from tests.packaging import messages

CHECKOUT = Path(os.environ.get("TEST_CHECKOUT", "."))
MODULES = messages.modules()
LINES = [line for module in MODULES for line in messages.log_lines(module)]

ADVICE = re.compile(
    r"\b(add|call|change|check|choose|find out|give|let|look|make|must be|name one|nothing need be done"
    r"|pass|raise|record|remove|rename|report|restart|set|unregister|use|is now)\b",
    re.IGNORECASE,
)
VARIABLE = re.compile(r"\b(?:OTEL|PROMETHEUS|DUALMETRICS)_[A-Z0-9_]*[A-Z0-9]\b")
OF_OTHERS = {"PROMETHEUS_MULTIPROC_DIR", "OTEL_RESOURCE_ATTRIBUTES"}
"""A variable of prometheus_client, and one that OpenTelemetry reads, too."""


def test_the_page_of_all_messages_is_up_to_date() -> None:
    found = (CHECKOUT / "docs" / "messages.md").read_text(encoding="utf-8")
    assert found == messages.page(), "run `python -m tests.packaging.messages`, and read docs/messages.md"


def test_every_line_of_the_log_is_on_the_page() -> None:
    for module in MODULES:
        assert messages.prefixed_texts(module) == {line.text for line in messages.log_lines(module)}, (
            module.path
        )


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.text[13:60])
def test_a_line_of_the_log_says_what_to_do_or_that_nothing_need_be_done(line: messages.Message) -> None:
    assert ADVICE.search(line.text), line


def test_a_line_that_only_complains_is_found() -> None:
    assert not ADVICE.search("dualmetrics: the push to %s failed (%s)")
    assert not ADVICE.search("dualmetrics: a callback of %s is slow; the others no longer wait for it")


def test_the_variables_that_messages_name_exist() -> None:
    known = {
        variable for option in options_of(Settings).values() for variable in option.variables
    } | OF_OTHERS
    text = messages.page()
    assert set(VARIABLE.findall(text)) <= known
