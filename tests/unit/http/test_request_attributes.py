"""What a client sends is normalized to closed sets of values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.http.request_attributes import METHODS, RequestAttributes


@given(method=st.text(), scheme=st.text(), version=st.none() | st.text())
def test_normalized_attributes_are_of_closed_sets(method: str, scheme: str, version: str | None) -> None:
    normalized = RequestAttributes(method, scheme, version).normalized()
    assert normalized.method in METHODS | {"_OTHER"}
    assert normalized.scheme in {"http", "https", "ws", "wss", "_OTHER"}
    assert normalized.version in {"0.9", "1.0", "1.1", "2", "3", None}
    assert normalized.normalized() == normalized


@pytest.mark.parametrize("method", sorted(METHODS))
def test_methods_are_case_sensitive(method: str) -> None:
    assert RequestAttributes(method, "http", "1.1").normalized().method == method
    assert RequestAttributes(method.lower(), "http", "1.1").normalized().method == "_OTHER"
