"""Series as text: every value is printable, on one line, and distinguishable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.cli.series_text import labels_text, value_text


@pytest.mark.parametrize(
    "value", ["GET", "/users/<int:user>", "/x/[/a-z]+", r"^x/(?P<id>\d+)$", "{a}", "caf\xe9", "1"]
)
def test_usual_values_are_shown_as_they_are(value: str) -> None:
    assert labels_text([("a", value), ("b", 2)]) == f"{{a={value}, b=2}}"


def test_values_that_could_be_taken_for_others_are_quoted() -> None:
    assert labels_text([("a", "x, b=2}  counter  7")]) == '{a="x, b=2}  counter  7"}'
    assert labels_text([("a", "\x1b[31m\n"), ("b", "")]) == r'{a="\x1b[31m\n", b=""}'
    assert labels_text([("a", ("x", "y z"))]) == '{a=[x, "y z"]}'
    assert labels_text([]) == ""


@given(st.text(max_size=20))
def test_any_value_is_printable_and_on_one_line(value: str) -> None:
    text = labels_text([("label", value), ("other", ("list", value))])
    assert text.isprintable()


@given(st.text(max_size=5), st.text(max_size=5))
def test_different_values_look_different(one: str, other: str) -> None:
    assert (value_text(one) == value_text(other)) == (one == other)
