"""Which measurements become exemplars, and that the group keeps the latest one of each bucket."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry import context, trace

from dualmetrics.aggregation.group_store import GroupStore
from dualmetrics.aggregation.worker_store import OVERFLOW_ATTRIBUTES
from dualmetrics.config.loading import load_settings
from dualmetrics.instruments.exemplars import ExemplarFilter
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor
from dualmetrics.model.snapshot import Exemplar, Exemplars
from dualmetrics.runtime.errors import ErrorReporter
from dualmetrics.storage import exemplar_slots
from dualmetrics.telemetry import Telemetry
from tests.forking import run_in_child
from tests.unit.stores import COUNTER, HISTOGRAM, die, values, worker
from tests.waiting import wait_until

TRACE, SPAN = 0x0AF7651916CD43DD8448EB211C80319C, 0x00F067AA0BA902B7
A: Attributes = (("route", "/a"),)


def span(number: int = 0, sampled: bool = True) -> trace.Span:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else trace.TraceFlags.DEFAULT)
    return trace.NonRecordingSpan(trace.SpanContext(TRACE, SPAN + number, is_remote=False, trace_flags=flags))


@contextmanager
def active(number: int = 0, sampled: bool = True) -> Iterator[None]:
    with trace.use_span(span(number, sampled)):
        yield


def telemetry_with(tmp_path: Path, exemplar_filter: str = "trace_based") -> Telemetry:
    return Telemetry(metrics_exporter="prometheus", directory=str(tmp_path), exemplar_filter=exemplar_filter)


@pytest.fixture
def telemetry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Telemetry]:
    """A Telemetry that expects a tracer. The spans of these tests come from none."""
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    telemetry = telemetry_with(tmp_path)
    yield telemetry
    telemetry.shutdown()


def exemplars_of(telemetry: Telemetry, name: str) -> dict[Attributes, Exemplars]:
    """The exemplars of each series of a metric."""
    return {
        point.attributes: point.exemplars
        for family in telemetry.snapshot().families
        if family.descriptor.name == name
        for point in family.points
    }


def spans(exemplars: Exemplars) -> list[int | None]:
    """The number of the span of each exemplar."""
    return [exemplar.span_id - SPAN if exemplar else None for exemplar in exemplars]


def test_latest_exemplar_of_each_bucket_in_a_sampled_span_is_kept(telemetry: Telemetry) -> None:
    took = telemetry.meter("app").create_histogram("took", explicit_bucket_boundaries_advisory=[1, 2])
    for number, value in enumerate([0.5, 1.0, 7.0]):
        with active(number):
            took.record(value, {"route": "/a"})
    took.record(0.25, {"route": "/a"})
    with active(9, sampled=False):
        took.record(0.25, {"route": "/a"})
    [exemplars] = exemplars_of(telemetry, "took").values()
    assert spans(exemplars) == [1, None, 2]
    assert [(exemplar.value, exemplar.trace_id) if exemplar else None for exemplar in exemplars] == [
        (1.0, TRACE),
        None,
        (7.0, TRACE),
    ]


def test_counter_has_one_exemplar_per_series(telemetry: Telemetry) -> None:
    orders = telemetry.meter("app").create_counter("orders")
    for number, route in enumerate(["/a", "/b", "/b"]):
        with active(number):
            orders.add(2, {"route": route})
    by_series = exemplars_of(telemetry, "orders")
    assert {attributes: spans(exemplars) for attributes, exemplars in by_series.items()} == {
        (("route", "/a"),): [0],
        (("route", "/b"),): [2],
    }


def test_equal_attributes_of_different_types_have_exemplars_of_their_own(telemetry: Telemetry) -> None:
    orders = telemetry.meter("app").create_counter("orders")
    kinds: list[dict[str, object]] = [{}, {"k": 1}, {"k": True}, {"k": 1.0}, {"k": [1, 2]}, {"k": "1"}]
    for number, attributes in enumerate(kinds * 2):
        with active(number):
            orders.add(1, attributes)  # type: ignore[arg-type]  # as apps give them
    [family] = [family for family in telemetry.snapshot().families if family.descriptor.name == "orders"]
    assert sorted(spans(point.exemplars)[0] or 0 for point in family.points) == [*range(6, 12)]


def test_context_argument_takes_precedence_over_the_active_span(telemetry: Telemetry) -> None:
    orders = telemetry.meter("app").create_counter("orders")
    with active(1):
        orders.add(1, None, trace.set_span_in_context(span(2), context.Context()))
    assert spans(exemplars_of(telemetry, "orders")[()]) == [2]


def test_rejected_value_is_no_exemplar(telemetry: Telemetry) -> None:
    meter = telemetry.meter("app")
    orders, took = meter.create_counter("orders"), meter.create_histogram("took")
    with active():
        orders.add(0)
        orders.add(1)
        for bad in (-1, float("nan"), float("inf"), "many"):
            orders.add(bad)  # type: ignore[arg-type]  # as apps give them
            took.record(bad)  # type: ignore[arg-type]
    [kept] = exemplars_of(telemetry, "orders")[()]
    assert kept is not None
    assert kept.value == 1.0
    assert exemplars_of(telemetry, "took") == {}
    assert telemetry.errors.error_count == 8


def test_gauges_and_up_down_counters_have_no_exemplars(telemetry: Telemetry) -> None:
    meter = telemetry.meter("app")
    with active():
        meter.create_up_down_counter("length").add(1)
        meter.create_gauge("level").set(1)
    assert exemplars_of(telemetry, "length") == exemplars_of(telemetry, "level") == {(): ()}


@pytest.mark.parametrize(
    ("exemplar_filter", "in_span", "in_unsampled", "alone"),
    [("trace_based", SPAN, None, None), ("always_on", SPAN, SPAN, 0), ("always_off", None, None, None)],
)
def test_filter_decides_which_measurements_become_exemplars(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    exemplar_filter: str,
    in_span: int | None,
    in_unsampled: int | None,
    alone: int | None,
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    telemetry = telemetry_with(tmp_path, exemplar_filter)
    orders = telemetry.meter("app").create_counter("orders")
    with active():
        orders.add(1, {"in": "span"})
    with active(sampled=False):
        orders.add(1, {"in": "unsampled"})
    orders.add(1, {"in": "none"})
    by_series = exemplars_of(telemetry, "orders").items()
    kept = {str(key[0][1]): exemplars[0] if exemplars else None for key, exemplars in by_series}
    assert {name: exemplar.span_id if exemplar else None for name, exemplar in kept.items()} == {
        "span": in_span,
        "unsampled": in_unsampled,
        "none": alone,
    }
    telemetry.shutdown()


def test_without_a_tracer_the_recording_function_is_not_replaced(tmp_path: Path) -> None:
    telemetry = telemetry_with(tmp_path)
    orders = telemetry.meter("app").create_counter("orders")
    with active():
        orders.add(1)
        telemetry.render()
        orders.add(1)
    assert "add" not in vars(orders)
    assert exemplars_of(telemetry, "orders") == {(): ()}
    telemetry.shutdown()


LATE = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from dualmetrics import Telemetry

telemetry = Telemetry(metrics_exporter="prometheus")
orders = telemetry.meter("app").create_counter("orders")
orders.add(1)
trace.set_tracer_provider(TracerProvider())
{then}
with trace.get_tracer("app").start_as_current_span("order"):
    orders.add(1)
page = telemetry.render("application/openmetrics-text")[1].decode()
assert "orders_total{{" in page and "} 2 # {{trace_id=" in page, page
"""


@pytest.mark.parametrize("then", ["telemetry.render()", "orders.add(0, {'new': 'series'})"])
def test_tracer_that_is_set_late_is_detected_by_a_scrape_or_a_new_series(then: str) -> None:
    program = LATE.replace("{then}", then).replace("{{", "{").replace("}}", "}")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


NAMED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from dualmetrics import Telemetry

telemetry = Telemetry(metrics_exporter="prometheus")
telemetry.meter("app").create_counter("orders").add(1)
telemetry.render()
mine = TracerProvider()
trace.set_tracer_provider(mine)
assert trace.get_tracer_provider() is mine
"""


def test_detection_does_not_set_a_tracer_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    done = subprocess.run([sys.executable, "-c", NAMED], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# Exemplars of a group


def record_exemplar(
    store: GroupStore, descriptor: Descriptor, bucket: int, exemplar: Exemplar, attributes: Attributes = A
) -> None:
    store.row(descriptor, attributes)[bucket] += 1
    size = exemplar_slots.slot_size((exemplar,))
    exemplar_slots.write_slot(store.slots(descriptor, attributes, size), bucket, exemplar, size)


def group_exemplars(store: GroupStore, descriptor: Descriptor) -> dict[Attributes, Exemplars]:
    return {
        point.attributes: point.exemplars
        for family in store.read().families
        if family.descriptor.name == descriptor.name
        for point in family.points
    }


ONE, TWO, THREE = (Exemplar(float(time), time, TRACE + time, SPAN + time) for time in (1, 2, 3))
TWO = TWO._replace(attributes=(("items", 7), ("user", "u")))  # as exemplars of other libraries may have


def test_every_worker_reports_the_latest_exemplars_of_the_group(tmp_path: Path) -> None:
    one, other = worker(tmp_path), worker(tmp_path)
    record_exemplar(one, HISTOGRAM, 0, TWO)
    record_exemplar(other, HISTOGRAM, 0, ONE)
    record_exemplar(other, HISTOGRAM, 2, THREE)
    for store in (one, other, worker(tmp_path)):
        assert group_exemplars(store, HISTOGRAM) == {A: (TWO, None, THREE)}
        assert values(store, HISTOGRAM) == {A: [2.0, 0.0, 1.0, 0.0]}


def test_point_is_replaced_if_only_its_exemplar_has_changed(tmp_path: Path) -> None:
    store = worker(tmp_path)
    record_exemplar(store, COUNTER, 0, ONE)
    before = store.read().families[0].points[0]
    assert store.read().families[0].points[0] is before
    exemplar_slots.write_slot(store.slots(COUNTER, A), 0, THREE)
    after = store.read().families[0].points[0]
    assert (before.exemplars, after.exemplars) == ((ONE,), (THREE,))


def test_exemplars_of_dead_workers_survive_repeated_folding(tmp_path: Path) -> None:
    survivor = worker(tmp_path)
    for exemplar, bucket in ((THREE, 0), (ONE, 0), (TWO, 1)):
        victim = worker(tmp_path)
        record_exemplar(victim, HISTOGRAM, bucket, exemplar)
        die(victim)
        before = group_exemplars(survivor, HISTOGRAM)
        survivor.fold()
        assert group_exemplars(survivor, HISTOGRAM) == before
    assert group_exemplars(survivor, HISTOGRAM) == {A: (THREE, TWO, None)}


def test_series_beyond_the_limit_keep_exemplars_in_the_overflow_series(tmp_path: Path) -> None:
    store = worker(tmp_path, limit=1)
    record_exemplar(store, COUNTER, 0, ONE)
    record_exemplar(store, COUNTER, 0, TWO, (("route", "/b"),))
    record_exemplar(store, COUNTER, 0, THREE, (("route", "/c"),))
    assert group_exemplars(store, COUNTER) == {A: (ONE,), OVERFLOW_ATTRIBUTES: (THREE,)}
    assert group_exemplars(worker(tmp_path), COUNTER) == group_exemplars(store, COUNTER)


def test_exemplars_are_kept_in_private_memory() -> None:
    store = worker(None)
    record_exemplar(store, COUNTER, 0, ONE)
    assert group_exemplars(store, COUNTER) == {A: (ONE,)}


def test_forked_child_has_exemplars_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider")
    telemetry = telemetry_with(tmp_path)
    orders = telemetry.meter("app").create_counter("orders")
    with active(1):
        orders.add(1)

    def child() -> None:
        with active(2):
            orders.add(1)
        assert spans(exemplars_of(telemetry, "orders")[()]) == [2]

    run_in_child(child)
    assert spans(exemplars_of(telemetry, "orders")[()]) == [2]
    telemetry.shutdown()


def test_reset_removes_exemplars(telemetry: Telemetry) -> None:
    orders = telemetry.meter("app").create_counter("orders")
    with active(1):
        orders.add(1)
    telemetry.reset()
    orders.add(1)
    assert exemplars_of(telemetry, "orders") == {(): ()}


def test_full_disk_loses_exemplars_but_no_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = worker(tmp_path), worker(tmp_path)
    store.row(COUNTER, A)
    with monkeypatch.context() as patched:
        patched.setattr("dualmetrics.storage.regions.CAPACITY", 0)
        record_exemplar(store, COUNTER, 0, ONE)
    assert group_exemplars(store, COUNTER) == {A: (ONE,)}
    assert group_exemplars(other, COUNTER) == {A: ()}
    store.row(COUNTER, ())[0] += 5
    assert values(other, COUNTER) == {A: [1.0], (): [5.0]}


def test_failure_is_counted_and_does_not_reach_the_app(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry = telemetry_with(tmp_path, "always_on")
    monkeypatch.setattr(GroupStore, "slots", lambda *arguments: 1 / 0)
    telemetry.meter("app").create_counter("orders").add(1)
    assert exemplars_of(telemetry, "orders") == {(): ()}
    assert telemetry.errors.error_count
    wait_until(lambda: "keeping an exemplar" in caplog.text, 10, "the message, which another thread may log")
    telemetry.shutdown()


def test_filter_always_off_never_becomes_active() -> None:
    settings = load_settings(
        {"OTEL_METRICS_EXEMPLAR_FILTER": "always_off", "OTEL_PYTHON_TRACER_PROVIDER": "x"}
    )
    store = worker(None)
    exemplars = ExemplarFilter(store, ErrorReporter(), settings)
    exemplars.detect_tracer()
    assert not exemplars.active
