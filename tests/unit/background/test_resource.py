"""The resource of a group: the same, whichever of its processes pushes or answers."""

from __future__ import annotations

from typing import Any

import pytest

from dualmetrics import Telemetry


def attributes(**settings: Any) -> dict[str, object]:
    telemetry = Telemetry(metrics_exporter="prometheus", **settings)
    telemetry.meter("app").create_counter("hits").add(1)
    try:
        return dict(telemetry.snapshot().resource)
    finally:
        telemetry.shutdown()


@pytest.fixture
def process_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process,os")


@pytest.mark.usefixtures("process_detector")
def test_attributes_of_one_process_are_left_out() -> None:
    found = attributes()
    assert "os.type" in found
    assert {key for key in found if key.startswith("process.")} == {
        "process.executable.name",
        "process.executable.path",
        "process.runtime.description",
        "process.runtime.name",
        "process.runtime.version",
    }


@pytest.mark.usefixtures("process_detector")
def test_attributes_that_the_user_gives_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "process.pid=5,service.instance.id=mine,team=shop")
    found = attributes(resource_attributes={"process.owner": "me", "team": "cart"})
    assert found["process.pid"] == "5"
    assert found["process.owner"] == "me"
    assert found["team"] == "cart"
    assert found["service.instance.id"] == "mine"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("team=shop,service.version=", {"team": "shop", "service.version": ""}),
        ("team=a,team=shop", {"team": "shop"}),
        ("team=a%2Cb, x%3Dy = z", {"team": "a,b", "x=y": "z"}),
        ("team=shop,oops", {}),
        ("team=shop,x=%ff", {}),
    ],
)
def test_the_variable_is_read_as_the_specification_says(
    value: str, expected: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = attributes()
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", value)
    found = attributes()
    for resource in (before, found):
        del resource["service.instance.id"]
    assert found == {**before, **expected}


def test_a_service_name_that_is_ignored_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    before = attributes()["service.name"]
    assert str(before).startswith("unknown_service:")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "a\nb")
    assert attributes()["service.name"] == before
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop,oops")
    assert attributes()["service.name"] == before
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=shop")
    assert attributes()["service.name"] == "shop"
