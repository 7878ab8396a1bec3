"""Namespace and constant labels are on the page only; the experiment is in both exports."""

from __future__ import annotations

import pytest

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver


def test_the_experiment_is_a_label_on_the_page_and_a_resource_attribute_in_the_push(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EXPERIMENT", "VARIANT", "PIPELINE"):
        monkeypatch.setenv(f"DUALMETRICS_{name}", f"the-{name.lower()}")
    with Receiver() as receiver:
        telemetry = Telemetry(endpoint=receiver.http_endpoint, namespace="ns", const_labels={"env": "prod"})
        telemetry.meter("shop").create_counter("hits").add(3)
        assert telemetry.force_flush()
        page = telemetry.render()[1].decode()
        telemetry.shutdown()
        [(name, attributes, pushed)] = [
            (name, attributes, point)
            for (_, name, attributes, _), point in receiver.series().items()
            if name.endswith("hits")
        ]
    lines = [line for line in page.splitlines() if line[0] != "#" and not line.startswith("target_info")]
    expected = 'env="prod",experiment="the-experiment",'
    assert all(line.startswith("ns_") and f"{{{expected}" in line for line in lines)
    assert all('pipeline="the-pipeline"' in line and 'variant="the-variant"' in line for line in lines)
    assert (name, attributes) == ("hits", ())
    resource = dict(pushed.resource)
    assert [resource[key] for key in ("experiment", "variant", "pipeline")] == [
        "the-experiment",
        "the-variant",
        "the-pipeline",
    ]
    assert "env" not in resource
