"""The parsers of single settings."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.config.loading import load_settings
from dualmetrics.config.options import SettingsError

positive_numbers = st.floats(min_value=1e-6, max_value=1e9)
ascending_bounds = st.lists(positive_numbers, min_size=1, unique=True).map(sorted)
instrument_names = st.from_regex(r"[a-z][a-z0-9_./-]{0,20}", fullmatch=True)
label_names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: name not in ("le", "quantile")
)
label_values = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1)

PRIVATE = [
    "10.1.2.3",
    "172.31.0.1",
    "192.168.1.1",
    "127.0.0.5",
    "169.254.1.1",
    "::1",
    "fe80::1",
    "fd00::1",
]
PUBLIC = ["8.8.8.8", "172.32.0.1", "192.169.0.1", "2001:db8::1"]


@pytest.mark.parametrize("address", [*PRIVATE, *PUBLIC])
def test_private_means_private_loopback_and_link_local_networks(address: str) -> None:
    allowed = load_settings({"DUALMETRICS_METRICS_ALLOW": "private"}).metrics_allow
    is_allowed = any(ipaddress.ip_address(address) in network for network in allowed)
    assert is_allowed == (address in PRIVATE)


@given(general=ascending_bounds, by_name=st.dictionaries(instrument_names, ascending_bounds))
def test_bounds_survive_their_variable(general: list[float], by_name: dict[str, list[float]]) -> None:
    parts = [
        ",".join(map(repr, general)),
        *(f"{name}={','.join(map(repr, bounds))}" for name, bounds in by_name.items()),
    ]
    settings = load_settings({"DUALMETRICS_BUCKETS": ";".join(parts)})
    assert settings.buckets.default == tuple(general)
    assert settings.buckets.by_name == {name: tuple(bounds) for name, bounds in by_name.items()}
    assert settings == load_settings({}, buckets={"": general, **by_name})


@given(st.lists(positive_numbers, min_size=2).filter(lambda bounds: bounds != sorted(set(bounds))))
def test_bounds_that_are_not_ascending_are_refused(bounds: list[float]) -> None:
    with pytest.raises(SettingsError, match="ascending"):
        load_settings({}, buckets=bounds)


@given(st.dictionaries(label_names, label_values))
def test_labels_survive_their_variable(labels: dict[str, str]) -> None:
    text = ",".join(f"{name}={quote(value, safe='')}" for name, value in labels.items())
    assert load_settings({"DUALMETRICS_CONST_LABELS": text}).const_labels == labels
    assert load_settings({}, const_labels=labels).const_labels == labels
