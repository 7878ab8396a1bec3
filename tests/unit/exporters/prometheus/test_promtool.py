"""Prometheus' linter accepts a page with all kinds of metrics."""

from __future__ import annotations

import subprocess

from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.model.attributes import Attributes
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point, Snapshot
from tests import peers

OWN = InstrumentationScope("dualmetrics")
SHOP = InstrumentationScope("shop", "1.0", "https://example.com", (("team", 'a "b"\n\\c'),))
BOUNDS = (0.005, 0.01, 0.25, 1.0, 2.5, 10.0)
GET: Attributes = (("http.method", "GET"), ("http.route", "/a/{id}"), ("http.status_code", 200))

CLASSIC = Descriptor(OWN, "http.request.duration", Kind.HISTOGRAM, "ms", "Duration.", (5.0, 10.0, 1e6))
RICH = (
    (Descriptor(OWN, "http.requests", Kind.COUNTER, "{request}", "Requests."), (7.0,)),
    (Descriptor(OWN, "http.server.request.duration", Kind.HISTOGRAM, "s", "D.", BOUNDS), (1.0,) * 8),
    (Descriptor(OWN, "http.connections.active", Kind.UP_DOWN_COUNTER, "{connection}", "Active."), (2.0,)),
    (Descriptor(OWN, "system.memory.usage", Kind.GAUGE, "By", 'Memory\n"used" \\ free.'), (1e9, 1.0)),
    (Descriptor(SHOP, "basket.fill", Kind.GAUGE, "1", "Fill."), (float("nan"), 1.0)),
    (Descriptor(SHOP, "total.hits", Kind.COUNTER, "", "Hits."), (0.5,)),
    (Descriptor(SHOP, "sent", Kind.COUNTER, "By", "Sent."), (float("inf"),)),
)


def lint(*metrics: tuple[Descriptor, tuple[float, ...]]) -> str:
    """The findings of promtool; empty if there are none."""
    families = tuple(
        Family(
            descriptor,
            tuple(Point(attributes, 1, cells) for attributes in ((), GET, (("list", ("a", "b")),))),
        )
        for descriptor, cells in metrics
    )
    page = PrometheusExporter().render(Snapshot(1, (("service.name", "shop"),), families))
    run = subprocess.run(
        [peers.prometheus_tool("promtool"), "check", "metrics"],
        input=b"".join(page.pieces),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    findings = run.stdout.decode()
    assert bool(findings) == bool(run.returncode)
    return findings


def test_promtool_accepts_a_page_with_all_kinds_of_metrics() -> None:
    assert lint(*RICH) == ""


def test_promtool_only_complains_about_the_milliseconds_of_the_classic_convention() -> None:
    [finding] = lint(*RICH, (CLASSIC, (1.0,) * 5)).splitlines()
    assert finding.startswith('http_request_duration_milliseconds use base unit "seconds"')
