"""The settings object: immutable, comparable, and safe to print."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from dualmetrics.config.loading import load_settings


def test_settings_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}).convention = "both"  # type: ignore[misc]  # the refusal at run time is the test


def test_labels_of_the_page_are_the_constant_labels_and_the_experiment() -> None:
    settings = load_settings({}, const_labels="dc=eu,variant=x", experiment="e", variant="b")
    assert settings.page_labels == {"dc": "eu", "experiment": "e", "variant": "b"}


def test_equal_settings_are_equal_and_others_list_what_differs() -> None:
    one = load_settings({}, convention="both", metrics_token="hunter2")
    assert one == load_settings({"DUALMETRICS_CONVENTION": "both"}, metrics_token="hunter2")
    other = load_settings({}, convention="both", metrics_token="hunter3", buckets=[1])
    assert one != other
    assert one.difference(other) == [f"buckets: {one.buckets.default!r}, (1.0,)", "metrics_token: ***, ***"]


def test_values_per_instrument_are_shown_as_an_argument_takes_them() -> None:
    one, other = load_settings({}), load_settings({}, gauge_merge="max;depth=sum")
    assert one.difference(other) == ["gauge_merge: 'last', {'': 'max', 'depth': 'sum'}"]


def test_secrets_do_not_appear_in_any_text_about_the_settings() -> None:
    settings = load_settings(
        {},
        headers={"authorization": "hunter2"},
        metrics_token="hunter2",
        metrics_basic_auth="ann:hunter2",
        endpoint="https://ann:hunter2@collector:4318",
    )
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in " ".join(load_settings({}).difference(settings))
    assert "https://***@collector:4318" in repr(settings)


def test_loading_settings_imports_neither_the_sdk_nor_the_exporters() -> None:
    code = "import sys, dualmetrics.config.loading as m; m.load_settings({}); print(*sys.modules)"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(completed.stdout.split())
    assert not modules & {"grpc", "requests", "prometheus_client", "opentelemetry.sdk", "google.protobuf"}
