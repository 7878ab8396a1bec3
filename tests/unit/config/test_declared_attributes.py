"""What may be declared as an attribute of requests."""

from __future__ import annotations

from typing import Any

import pytest

from dualmetrics import DeclaredAttribute, SettingsError
from dualmetrics.config.loading import load_settings


@pytest.mark.parametrize(
    ("name", "values", "others"),
    [
        ("", ["a"], {}),
        ("1a", ["a"], {}),
        ("http.status_code", ["a"], {}),
        ("error_type", ["a"], {}),
        ("tenant", [], {}),
        ("tenant", "ab", {}),
        ("tenant", [""], {}),
        ("tenant", [1], {}),
        ("tenant", ["a"], {"header": "X Y"}),
        ("tenant", ["a"], {"header": ""}),
        ("tenant", ["a"], {"value_of": "tenant"}),
    ],
)
def test_a_bad_declaration_is_refused(name: str, values: Any, others: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=r"^(name|values|header|value_of)=.*: must be "):
        DeclaredAttribute(name, values, **others)


def test_equal_declarations_are_equal_settings() -> None:
    def value_of(request: object) -> str:
        return "a"

    def settings() -> object:
        declared = DeclaredAttribute("tenant", ["a", "b"], header="X-Tenant", value_of=value_of)
        return load_settings({}, attributes=[declared])

    assert settings() == settings()


def test_a_mapping_and_a_list_declare_the_same() -> None:
    as_list = load_settings({}, attributes=[DeclaredAttribute("tenant", ("a", "b"))])
    assert load_settings({}, attributes={"tenant": ["a", "b"]}) == as_list
