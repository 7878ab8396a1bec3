"""Names with special characters: escaped as the scraper asks, or quoted if it accepts them."""

from __future__ import annotations

import re
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.exporters.prometheus.content_negotiation import negotiate
from dualmetrics.exporters.prometheus.naming.escaping import ESCAPING_SCHEMES, escape_label_name
from dualmetrics.exporters.prometheus.naming.translation import (
    STRATEGIES,
    UNDERSCORES,
    UTF8_NAMES,
    utf8_metric_name,
)
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests.unit.exporters import generated
from tests.unit.exporters.prometheus import reading

READS_UTF8 = tuple(map(int, version("prometheus-client").split(".")[:2])) >= (0, 22)
reads_utf8 = pytest.mark.skipif(not READS_UTF8, reason="this prometheus_client does not parse quoted names")

OWN = InstrumentationScope("dualmetrics")
KEY: Attributes = (("pay.kind", "card"), ("ünï", "é"))
ORDERS = Descriptor(OWN, "shop.orders/count", Kind.COUNTER, "{order}", "Orders.")
SIZE = Descriptor(OWN, "shop.size", Kind.HISTOGRAM, "By", "", (10.0,))


@pytest.mark.parametrize(
    ("name", "scheme", "expected"),
    [
        ("metric.name/with/slashes", "underscores", "metric_name_with_slashes"),
        ("metric.name.with.dots", "dots", "metric_dot_name_dot_with_dot_dots"),
        ("http_requests_total", "dots", "http__requests__total"),
        ("a-b", "dots", "a__b"),
        ("http_requests_total", "underscores", "http_requests_total"),
        ("http_requests_total", "values", "http_requests_total"),
        ("a.b_c", "values", "U__a_2e_b__c"),
        ("ü:1", "values", "U___fc_:1"),
        ("9a", "values", "U___39_a"),
        ("9a", "underscores", "_a"),
        ("ü.b", "allow-utf-8", "ü.b"),
    ],
)
def test_each_scheme_escapes_as_prometheus_specifies(name: str, scheme: str, expected: str) -> None:
    assert ESCAPING_SCHEMES[scheme](name) == expected


@given(name=st.text(min_size=1), scheme=st.sampled_from(["underscores", "dots", "values"]))
def test_escaped_names_are_plain(name: str, scheme: str) -> None:
    assert re.fullmatch("[A-Za-z_:][A-Za-z0-9_:]*", ESCAPING_SCHEMES[scheme](name))
    assert re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", escape_label_name(name, ESCAPING_SCHEMES[scheme]))


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.requests", "{request}", Kind.COUNTER, "http.requests_total"),
        ("http.request.duration", "ms", Kind.HISTOGRAM, "http.request.duration_milliseconds"),
        ("hits.total", "", Kind.COUNTER, "hits_total"),
        ("total.hits", "", Kind.COUNTER, "total.hits_total"),
        ("fill.ratio", "1", Kind.GAUGE, "fill_ratio"),
        ("sent.bytes", "By", Kind.COUNTER, "sent.bytes_total"),
        ("sent", "By/s", Kind.GAUGE, "sent_bytes_per_second"),
        ("total", "", Kind.COUNTER, "total_total"),
    ],
)
def test_unescaped_names_have_suffixes_for_unit_and_kind(
    name: str, unit: str, kind: Kind, expected: str
) -> None:
    assert utf8_metric_name(name, unit, kind) == expected
    assert utf8_metric_name(name, unit, kind, "ns") == f"ns_{expected}".replace("ns_total_total", "ns_total")


@pytest.mark.parametrize(
    ("key", "expected"),
    [("a.b", "a.b"), ("_a", "_a"), ("__name__", "key__name__"), ("", "key_"), ("_", "key_"), ("9", "9")],
)
def test_unescaped_labels_do_not_use_reserved_names(key: str, expected: str) -> None:
    assert STRATEGIES[UTF8_NAMES].label(key) == expected


def page(accept: str, strategy: str = UTF8_NAMES) -> list[str]:
    families = (
        Family(ORDERS, (Point(KEY, 1, (5.0,)),)),
        Family(SIZE, (Point((), 1, (1.0, 1.0, 30.0)),)),
    )
    exporter = PrometheusExporter(translation_strategy=strategy)
    return reading.body(exporter.render(Snapshot(1, (), families), negotiate(accept))).splitlines()


def test_the_text_page_with_unescaped_names() -> None:
    assert page("text/plain;version=1.0.0;escaping=allow-utf-8") == [
        '# HELP "shop.orders/count_total" Orders.',
        '# TYPE "shop.orders/count_total" counter',
        '{"shop.orders/count_total","pay.kind"="card","ünï"="é"} 5',
        '# TYPE "shop.size_bytes" histogram',
        '{"shop.size_bytes_bucket",le="10"} 1',
        '{"shop.size_bytes_bucket",le="+Inf"} 2',
        '{"shop.size_bytes_sum"} 30',
        '{"shop.size_bytes_count"} 2',
    ]


@pytest.mark.parametrize(
    ("escaping", "expected"),
    [
        ("", 'shop_orders_count_total{pay_kind="card",_n_="é"} 5'),
        (";escaping=underscores", 'shop_orders_count_total{pay_kind="card",_n_="é"} 5'),
        (";escaping=dots", 'shop_dot_orders__count__total{pay_dot_kind="card",key__n__="é"} 5'),
        (
            ";escaping=values",
            'U__shop_2e_orders_2f_count__total{U___fc_n_ef_="é",U__pay_2e_kind="card"} 5',
        ),
    ],
)
@pytest.mark.parametrize("format_", ["text/plain", "application/openmetrics-text"])
def test_scrapers_that_do_not_accept_unescaped_names_get_them_escaped(
    format_: str, escaping: str, expected: str
) -> None:
    [line] = (line for line in page(format_ + escaping) if line.endswith(" 5"))
    assert sorted(re.split("[{,}]", line)) == sorted(re.split("[{,}]", expected))


@pytest.mark.parametrize("scheme", ["underscores", "values", "allow-utf-8"])
def test_names_of_the_default_translation_do_not_depend_on_the_scheme(scheme: str) -> None:
    plain = page("text/plain", UNDERSCORES)
    assert page(f"text/plain;version=1.0.0;escaping={scheme}", UNDERSCORES) == plain
    assert plain[2] == 'shop_orders_count_total{_n_="é",pay_kind="card"} 5'


def test_the_values_of_attributes_with_the_same_label_are_joined() -> None:
    attributes: Attributes = (("a.b", "1"), ("a/b", "2"))
    snapshot = Snapshot(1, (), (Family(ORDERS, (Point(attributes, 1, (1.0,)),)),))
    text = reading.body(PrometheusExporter(translation_strategy=UTF8_NAMES).render(snapshot))
    assert 'shop_orders_count_total{a_b="1;2"} 1\n' in text


@reads_utf8
@pytest.mark.parametrize("scheme", list(ESCAPING_SCHEMES))
@pytest.mark.parametrize("format_", reading.FORMATS)
@given(snapshot=generated.snapshots)
def test_parsers_accept_every_page_with_unescaped_names(
    format_: str, scheme: str, snapshot: Snapshot
) -> None:
    exporter = PrometheusExporter(translation_strategy=UTF8_NAMES, created=True)
    page = exporter.render(snapshot, negotiate(f"{format_};escaping={scheme}"))
    assert page.content_type.endswith(f"; escaping={scheme}")
    assert len(reading.samples(page)) >= bool(snapshot.resource)
