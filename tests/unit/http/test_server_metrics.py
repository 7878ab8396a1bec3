"""Which recorder a request gets."""

from __future__ import annotations

from dualmetrics.telemetry import Telemetry
from dualmetrics.testing.recorded import Recorded


def test_invented_values_share_one_recorder(telemetry: Telemetry) -> None:
    metrics = telemetry.server_metrics
    recorders = {id(metrics.recorder_for(f"M{n}", f"s{n}", f"v{n}")) for n in range(10_000)}
    assert len(recorders) == 1


def test_websockets_are_counted_while_active_and_not_recorded(telemetry: Telemetry) -> None:
    recorder = telemetry.server_metrics.websocket_recorder("wss")
    recorder.start()
    assert Recorded(telemetry).active() == {"WEBSOCKET": 1}
    recorder.cancel()
    assert (Recorded(telemetry).active(), Recorded(telemetry).counts()) == ({}, {})
