"""Host metrics, measured by OpenTelemetry's instrumentation of the system."""

from __future__ import annotations

from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

from tests.unit.instruments.recording import Recording


def test_host_metrics_are_observed_by_the_leader_and_process_metrics_by_every_worker() -> None:
    recording, instrumentor = Recording(), SystemMetricsInstrumentor()
    instrumentor.instrument(meter_provider=recording.provider)
    try:
        recording.callbacks.run(is_leader=False)
        every_worker = {family.descriptor.name for family in recording.store.read().families}
        recording.callbacks.run(is_leader=True)
        leader = {family.descriptor.name for family in recording.store.read().families}
    finally:
        instrumentor.uninstrument()
    assert {name for name in every_worker if name.startswith("system.")} == {"system.thread_count"}
    assert {"process.cpu.time", "process.memory.usage"} <= every_worker
    assert {"system.memory.usage", "system.cpu.time"} <= leader
