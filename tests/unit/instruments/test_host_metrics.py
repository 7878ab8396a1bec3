"""The host's own metrics, by OpenTelemetry's instrumentation of the system."""

from __future__ import annotations

from opentelemetry.instrumentation.system_metrics import SystemMetricsInstrumentor

from tests.unit.instruments.test_synchronous import Recording


def test_of_the_system_metrics_instrumentation_the_elected_worker_alone_observes_the_host() -> None:
    recording, instrumentor = Recording(), SystemMetricsInstrumentor()
    instrumentor.instrument(meter_provider=recording.provider)
    try:
        recording.observers.run(is_leader=False)
        everywhere = {family.descriptor.name for family in recording.store.read().families}
        recording.observers.run(is_leader=True)
        elected = {family.descriptor.name for family in recording.store.read().families}
    finally:
        instrumentor.uninstrument()
    assert {name for name in everywhere if name.startswith("system.")} == {"system.thread_count"}
    assert {"process.cpu.time", "process.memory.usage"} <= everywhere
    assert {"system.memory.usage", "system.cpu.time"} <= elected
