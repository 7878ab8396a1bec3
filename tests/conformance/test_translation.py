"""VictoriaMetrics stores the same names, labels and values for a page and for a push of one snapshot."""

from __future__ import annotations

import itertools
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from dualmetrics.exporters.otlp.exporter import otlp_target
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests import backends
from tests.conformance.differences import metric
from tests.unit.bridges import renamed
from tests.unit.bridges.bridged import registry_of, registry_snapshot
from tests.unit.bridges.test_generated import plain_registries
from tests.unit.exporters import generated
from tests.waiting import wait_until

Series = dict[backends.Labels, float]

pytestmark = [pytest.mark.server, pytest.mark.conformance]

numbers = itertools.count()
"""Make each metric and each batch unique in the database."""

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
keys = st.sampled_from(["a.b", "A", "_a", "9", "9a", "a b c", "é1", "aé2", "http.route", "a__b"])
finite = st.integers(-(2**40), 2**40).map(lambda value: value / 8)
# What is not generated here is in DIFFERENCES.
readable = st.one_of(st.just(0.0), st.floats(1e-5, 1e20), st.floats(-1e20, -1e-5))
scalars = st.one_of(texts, st.booleans(), st.integers(-(2**63), 2**63 - 1), readable)
in_lists = (st.text('aZ09é/_."\\ ', max_size=9), st.booleans(), st.integers(0, 99), st.floats(0.125, 1e5))
lists = st.one_of(*(st.lists(kind, max_size=3).map(tuple) for kind in in_lists))
attributes: st.SearchStrategy[Attributes] = st.dictionaries(keys, scalars | lists, max_size=4).map(
    lambda found: tuple(sorted(found.items()))
)
units = st.sampled_from(
    [
        *sorted(set(generated.UNITS) - {"[in_i]", "°C"}),
        "h",
        "KiBy",
        "Cel",
        "m",
        "1/min",
        "By/h",
        "{a}/{b}",
        "km/h",
    ]
)
words = st.lists(st.sampled_from([*generated.WORDS, "seconds", "percent"]), min_size=1, max_size=4)


@st.composite
def names(draw: st.DrawFn) -> str:
    """A name that no other metric has, because of a number somewhere in it."""
    parts = draw(words)
    parts.insert(0 if parts[0] == "9" else draw(st.integers(0, len(parts))), f"x{next(numbers)}")
    return draw(st.sampled_from("._-/")).join(parts)


@st.composite
def families(draw: st.DrawFn) -> Family:
    kind = draw(
        st.sampled_from([kind for kind in Kind if kind is not Kind.SUMMARY])
    )  # summaries are only bridged
    bounds = (0.5, 1.0, 2.5) if kind is Kind.HISTOGRAM else ()
    scope = draw(
        st.sampled_from(
            [
                InstrumentationScope("shop"),
                InstrumentationScope("shop", "1.0"),
                InstrumentationScope("bank", "2", "", (("k", "v"),)),
            ]
        )
    )
    number = draw(finite)
    cells = {
        Kind.COUNTER: (abs(number),),
        Kind.UP_DOWN_COUNTER: (number,),
        Kind.GAUGE: (number, 1.0),
        Kind.HISTOGRAM: (1.0, 0.0, 3.0, 2.0, number),
    }[kind]
    name = draw(names())
    unit = draw(units.filter(lambda unit: _is_named_alike(name, unit, kind)))
    descriptor = Descriptor(scope, name, kind, unit, "", bounds)
    return Family(descriptor, (Point(draw(attributes), 1, cells),))


def _is_named_alike(name: str, unit: str, kind: Kind) -> bool:
    """Whether no row of DIFFERENCES is about such a metric."""
    if kind is Kind.UP_DOWN_COUNTER:
        return unit != "1"
    return kind is not Kind.COUNTER or "total" not in name


def import_page(database: backends.VictoriaMetrics, snapshot: Snapshot, scope_labels: str) -> None:
    """Write the page of a snapshot to the database, marked with a label."""
    page = PrometheusExporter(scope_labels=scope_labels).render(snapshot, negotiate("text/plain"))
    url = f"{database.url}/api/v1/import/prometheus?extra_label=export=page"
    with urlopen(Request(url, b"".join(page.pieces)), timeout=10) as response:
        assert response.status == 204


def push(database: backends.VictoriaMetrics, snapshot: Snapshot) -> None:
    target = otlp_target(database.otlp, False, "http/protobuf", None)
    assert target.export(snapshot) == (True, 0, "")
    target.shutdown()


def stored(database: backends.VictoriaMetrics, batch: int) -> list[Series]:
    """Return the series of the page and those of the push, without the label that marks the page."""
    database.flush()
    both = database.query(f'{{batch="{batch}",__name__!="target_info"}}', time.time() + 1)
    mark = ("export", "page")
    page = {labels - {mark}: value for labels, value in both.items() if mark in labels}
    return [page, {labels: value for labels, value in both.items() if mark not in labels}]


def snapshot_of(families: list[Family], batch: int, resource: Attributes = ()) -> Snapshot:
    """Return a snapshot of now, since queries see the last five minutes. Labels mark its batch."""
    now = time.time()
    return Snapshot(int(now * 1e9), resource, tuple(_marked(family, batch, now) for family in families))


def _marked(family: Family, batch: int, now: float) -> Family:
    def mark(point: Point) -> Point:
        value, *rest = point.cells
        was_set = family.descriptor.kind is Kind.GAUGE and rest[0]
        return point._replace(
            attributes=tuple(sorted([*point.attributes, ("batch", str(batch))])),
            cells=(value, now) if was_set else point.cells,
        )

    return Family(family.descriptor, tuple(map(mark, family.points)))


def store_both(
    database: backends.VictoriaMetrics, snapshot: Snapshot, batch: int, scope_labels: str = "none"
) -> list[Series]:
    """Store a snapshot by page and by push. Returns the series of each."""
    import_page(database, snapshot, scope_labels)
    push(database, snapshot)
    wait_until(lambda: all(stored(database, batch)), 10, "the series of both exports")
    return stored(database, batch)


def check_exports_agree(database: backends.VictoriaMetrics, generated: list[Family]) -> None:
    batch = next(numbers)
    snapshot = snapshot_of(generated, batch, (("service.name", "shop"),))
    page, pushed = store_both(database, snapshot, batch)
    assert _different(page, pushed) == _different(pushed, page)


def _different(one: Series, other: Series) -> list[str]:
    """The series that ``other`` lacks or has with another value. VictoriaMetrics rounds to 16 digits."""
    return sorted(
        f"{sorted(labels)} {value}"
        for labels, value in one.items()
        if not math.isclose(other.get(labels, math.nan), value, rel_tol=1e-14)
    )


# Without shrinking: unique names make every example a new one, and a failure names the series.
generating = settings(
    max_examples=15,
    deadline=None,
    derandomize="TEST_CONFORMANCE" not in os.environ,  # CI tries the same examples each time
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


def test_every_metric_is_stored_alike_from_page_and_push(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path) as database:

        @generating
        @given(st.lists(families(), min_size=15, max_size=40))
        def every_metric(generated: list[Family]) -> None:
            check_exports_agree(database, generated)

        every_metric()


def test_every_metric_of_a_registry_is_stored_alike_from_page_and_push(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path) as database:

        @generating
        @given(plain_registries)
        def every_registry(registry: CollectorRegistry) -> None:
            check_exports_agree(database, [metric("there"), *registry_snapshot(registry).families])

        every_registry()


def written(labels: backends.Labels) -> str:
    """Write the name and labels of a series, without the batch."""
    rest = dict(labels)
    name = rest.pop("__name__")
    text = ",".join(f"{key}={value}" for key, value in sorted(rest.items()) if key != "batch")
    return f"{name}{{{text}}}" if text else name


def test_names_of_a_registry_change_as_documented(tmp_path: Path) -> None:
    bridged = [*registry_snapshot(registry_of(*(row.metric for row in renamed.TABLE))).families]
    with backends.victoria_metrics(tmp_path) as database:
        page, pushed = store_both(database, snapshot_of(bridged, 0), 0)
    assert set(map(written, page)) == {row.page for row in renamed.TABLE}
    assert set(map(written, pushed)) == {row.victoria_metrics for row in renamed.TABLE}


def test_promoted_scope_metadata_has_other_label_names_than_the_page(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path, (), "-opentelemetry.promoteScopeMetadata=true") as database:
        family = metric("scoped")
        scope = InstrumentationScope("bank", "2", "", (("k", "v"),))
        scoped = Family(replace(family.descriptor, scope=scope), family.points)
        page, pushed = store_both(database, snapshot_of([scoped], 0), 0, "all")
    assert list(map(written, page)) == ["scoped{otel_scope_k=v,otel_scope_name=bank,otel_scope_version=2}"]
    assert list(map(written, pushed)) == ["scoped{scope_attributes_k=v,scope_name=bank,scope_version=2}"]
