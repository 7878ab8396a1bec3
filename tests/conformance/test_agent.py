"""A real OTLP agent accepts the push over both protocols, and logs the numbers that were recorded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dualmetrics import Telemetry
from tests import agents
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

TOTAL = re.compile(r"Name: shop\.hits\n.*?Monotonic: true.*?-> where: Str\(here\)\n.*?Value: 3\n", re.DOTALL)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_an_agent_receives_the_total(protocol: str, compression: str, tmp_path: Path) -> None:
    with agents.rotel(tmp_path) as agent:
        endpoint = agent.grpc if protocol == "grpc" else agent.http
        telemetry = Telemetry(endpoint=endpoint, protocol=protocol, compression=compression)
        telemetry.meter("shop").create_counter("shop.hits").add(3, {"where": "here"})
        assert telemetry.force_flush(10)
        telemetry.shutdown()
        wait_until(lambda: TOTAL.search(agent.log.read_text()), 10, "the total", details=agent.log.read_text)
        assert not re.search(r"ERROR|WARN", agent.log.read_text())
