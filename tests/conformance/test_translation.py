"""What VictoriaMetrics makes of a push is what it makes of the page: names, labels, values, case by case."""

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
from dualmetrics.model.attributes import Attributes, AttributeValue
from dualmetrics.model.descriptor import Descriptor, Kind, Scope
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests import backends
from tests.unit.bridges import renamed
from tests.unit.bridges.bridged import registry_of, registry_snapshot
from tests.unit.bridges.test_generated import plain_registries
from tests.unit.exporters import generated
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

numbered = itertools.count()
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
keys = st.sampled_from(["a.b", "A", "_a", "9", "9a", "a b c", "é1", "aé2", "http.route", "a__b"])
finite = st.integers(-(2**40), 2**40).map(lambda value: value / 8)
# What is not generated is in DIFFERENCES.
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
    """A name that no other metric has, by a word anywhere in it."""
    found = draw(words)
    found.insert(0 if found[0] == "9" else draw(st.integers(0, len(found))), f"x{next(numbered)}")
    return draw(st.sampled_from("._-/")).join(found)


@st.composite
def families(draw: st.DrawFn) -> Family:
    kind = draw(st.sampled_from([kind for kind in Kind if kind is not Kind.SUMMARY]))  # that is bridged only
    bounds = (0.5, 1.0, 2.5) if kind is Kind.HISTOGRAM else ()
    scope = draw(
        st.sampled_from([Scope("shop"), Scope("shop", "1.0"), Scope("bank", "2", "", (("k", "v"),))])
    )
    number = draw(finite)
    cells = {
        Kind.COUNTER: (abs(number),),
        Kind.UP_DOWN_COUNTER: (number,),
        Kind.GAUGE: (number, 1.0),
        Kind.HISTOGRAM: (1.0, 0.0, 3.0, 2.0, number),
    }[kind]
    name = draw(names())
    unit = draw(units.filter(lambda unit: _alike(name, unit, kind)))
    descriptor = Descriptor(scope, name, kind, unit, "", bounds)
    return Family(descriptor, (Point(draw(attributes), 1, cells),))


def _alike(name: str, unit: str, kind: Kind) -> bool:
    """Whether it is in no row of DIFFERENCES."""
    if kind is Kind.UP_DOWN_COUNTER:
        return unit != "1"
    return kind is not Kind.COUNTER or "total" not in name


def import_page(there: backends.VictoriaMetrics, snapshot: Snapshot, scope_labels: str) -> None:
    page = PrometheusExporter(scope_labels=scope_labels).render(snapshot, negotiate("text/plain"))
    url = f"{there.url}/api/v1/import/prometheus?extra_label=way=page"
    with urlopen(Request(url, b"".join(page.pieces)), timeout=10) as response:
        assert response.status == 204


def push(there: backends.VictoriaMetrics, snapshot: Snapshot) -> None:
    target = otlp_target(there.otlp, False, "http/protobuf", None)
    assert target.export(snapshot) == (True, 0, "")
    target.shutdown()


def found(there: backends.VictoriaMetrics, batch: int) -> list[dict[backends.Labels, float]]:
    """What came by the page and by the push, without the mark of the way."""
    there.flush()
    every = there.query(f'{{batch="{batch}",__name__!="target_info"}}', time.time() + 1)
    page = {labels - {("way", "page")}: value for labels, value in every.items() if ("way", "page") in labels}
    return [page, {labels: value for labels, value in every.items() if ("way", "page") not in labels}]


def of_now(families: list[Family], batch: int, resource: Attributes = ()) -> Snapshot:
    """With the mark of the batch, and set now: a query tells of the last five minutes alone."""
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


def both_ways(
    there: backends.VictoriaMetrics, snapshot: Snapshot, batch: int, scope_labels: str = "none"
) -> list[dict[backends.Labels, float]]:
    import_page(there, snapshot, scope_labels)
    push(there, snapshot)
    wait_until(lambda: all(found(there, batch)), 10, "both ways to be there")
    return found(there, batch)


def agrees(there: backends.VictoriaMetrics, generated: list[Family]) -> None:
    batch = next(numbered)
    snapshot = of_now(generated, batch, (("service.name", "shop"),))
    page, pushed = both_ways(there, snapshot, batch)
    assert _only(page, pushed) == _only(pushed, page)


def _only(one: dict[backends.Labels, float], other: dict[backends.Labels, float]) -> list[str]:
    """The series that the other has not, or with another value: VictoriaMetrics rounds at the 16th digit."""
    return sorted(
        f"{sorted(labels)} {value}"
        for labels, value in one.items()
        if not math.isclose(other.get(labels, math.nan), value, rel_tol=1e-14)
    )


# Without shrinking: numbered names make every try another one, and a difference names its series.
generating = settings(
    max_examples=15,
    deadline=None,
    derandomize="TEST_CONFORMANCE" not in os.environ,  # CI's quick form finds what it found before
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


def test_every_metric_has_the_same_series_scraped_and_pushed(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path) as there:

        @generating
        @given(st.lists(families(), min_size=15, max_size=40))
        def every_metric(generated: list[Family]) -> None:
            agrees(there, generated)

        every_metric()


def test_every_metric_of_a_registry_has_the_same_series_scraped_and_pushed(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path) as there:

        @generating
        @given(plain_registries)
        def every_registry(registry: CollectorRegistry) -> None:
            agrees(there, [metric("there"), *registry_snapshot(registry).families])

        every_registry()


def metric(name: str, unit: str = "", kind: Kind = Kind.GAUGE, **attributes: AttributeValue) -> Family:
    keys = tuple(sorted((key.replace("__", "."), value) for key, value in attributes.items()))
    cells = (1.0, 1.0) if kind is Kind.GAUGE else (1.0,)
    return Family(Descriptor(Scope("shop"), name, kind, unit), (Point(keys, 1, cells),))


DIFFERENCES: list[tuple[Family, str, str]] = [
    (metric("big", a=1e21), "big{a=1e+21}", "big{a=1000000000000000000000}"),
    (metric("small", a=1e-7), "small{a=1e-7}", "small{a=0.0000001}"),
    (metric("list", a=(1e19,)), "list{a=[10000000000000000000]}", "list{a=[1e+19]}"),
    (metric("text", a=("\x01",)), 'text{a=["\\u0001"]}', 'text{a=["\\x01"]}'),
    (metric("joined", a__b="x", a_b="y"), "joined{a_b=x;y}", "joined{a_b=y}"),
    (metric("warm", "°C"), "warm_C", "warm_°C"),
    (metric("9.lives"), "_9_lives", "9_lives"),
    (metric("second.hand", "1/s"), "second_hand_per_second", "second_hand"),
    (metric("share", "1", Kind.UP_DOWN_COUNTER), "share", "share_ratio"),
    (metric("total.total.hits", "s", Kind.COUNTER), "hits_seconds_total", "total_hits_seconds_total"),
]
"""What VictoriaMetrics names otherwise than Prometheus' translator, and so than the page: the table of
docs/parity.md."""


def test_the_differences_of_the_table_are_still_there(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path) as there:
        page, pushed = both_ways(there, of_now([family for family, _, _ in DIFFERENCES], 0), 0)
    assert set(map(shown, page)) == {on_page for _, on_page, _ in DIFFERENCES}
    assert set(map(shown, pushed)) == {by_push for _, _, by_push in DIFFERENCES}


def shown(labels: backends.Labels) -> str:
    """A series with its name and labels, the batch apart."""
    rest = dict(labels)
    name = rest.pop("__name__")
    text = ",".join(f"{key}={value}" for key, value in sorted(rest.items()) if key != "batch")
    return f"{name}{{{text}}}" if text else name


def test_names_of_a_registry_are_changed_as_the_table_says(tmp_path: Path) -> None:
    bridged = [*registry_snapshot(registry_of(*(row.metric for row in renamed.TABLE))).families]
    with backends.victoria_metrics(tmp_path) as there:
        page, pushed = both_ways(there, of_now(bridged, 0), 0)
    assert set(map(shown, page)) == {row.page for row in renamed.TABLE}
    assert set(map(shown, pushed)) == {row.victoria_metrics for row in renamed.TABLE}


def test_scopes_are_labels_of_other_names_where_the_operator_asks_for_them(tmp_path: Path) -> None:
    with backends.victoria_metrics(tmp_path, (), "-opentelemetry.promoteScopeMetadata=true") as there:
        family = metric("scoped")
        scope = Scope("bank", "2", "", (("k", "v"),))
        scoped = Family(replace(family.descriptor, scope=scope), family.points)
        page, pushed = both_ways(there, of_now([scoped], 0), 0, "all")
    assert list(map(shown, page)) == ["scoped{otel_scope_k=v,otel_scope_name=bank,otel_scope_version=2}"]
    assert list(map(shown, pushed)) == ["scoped{scope_attributes_k=v,scope_name=bank,scope_version=2}"]
