"""The Accept header selects the format of the page."""

from __future__ import annotations

import pytest

from dualmetrics.exporters.prometheus.content_negotiation import negotiate, parse_accept

TEXT = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
OPENMETRICS_0 = "application/openmetrics-text; version=0.0.1; charset=utf-8"
PROTOBUF = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
UTF8 = "; escaping=allow-utf-8"

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
ASKED = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        (BROWSER, TEXT),
        ("text/plain", TEXT),
        ("text/*", TEXT),
        (PROMETHEUS_3, OPENMETRICS + UTF8),
        (f"{ASKED};q=0.6,{PROMETHEUS_3}", PROTOBUF + UTF8),
        (ASKED, PROTOBUF),
        ("text/plain, application/openmetrics-text;escaping=dots;q=0.4", TEXT),
        (f"{ASKED};escaping=allow-utf-8;q=0.7,{PROMETHEUS_3}", PROTOBUF + UTF8),
        (PROMETHEUS_2, OPENMETRICS),
        (
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OPENMETRICS_0,
        ),
        ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT),  # VictoriaMetrics
        ("application/openmetrics-text", OPENMETRICS),
        ("Application/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/*", OPENMETRICS),
        ("application/openmetrics-text;q=0.2, text/plain;q=0.9", TEXT),
        ("text/plain;q=0.2, application/openmetrics-text;q=0.9", OPENMETRICS),
        ("application/openmetrics-text, text/plain", OPENMETRICS),
        ("text/plain, application/openmetrics-text", TEXT),
        ("*/*;q=0.9, text/plain;q=0.1", OPENMETRICS),
        ("text/plain;q=0, */*", OPENMETRICS),
        ("application/openmetrics-text;version=1.0.0;q=0, application/openmetrics-text", OPENMETRICS_0),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/json", TEXT),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        ("text/plain;version=1.0.0", TEXT_1),
        ("text/plain;version=1.0.0;escaping=dots", f"{TEXT_1}; escaping=dots"),
        ("text/plain;escaping=values", f"{TEXT}; escaping=values"),
        ("text/plain;escaping=underscores;q=0.9", f"{TEXT}; escaping=underscores"),
        ("*/*;escaping=allow-utf-8", TEXT + UTF8),
        ("text/plain;escaping=none", TEXT),
        ("text/plain;escaping=dots;q=0", TEXT),
        ("text/html;escaping=dots, text/plain", TEXT),
        ("application/vnd.google.protobuf", PROTOBUF),
        (ASKED.upper(), PROTOBUF),
        (ASKED.replace("delimited", "text"), TEXT),
        (ASKED.replace("MetricFamily", "Metric"), TEXT),
        ("application/openmetrics-text;q=high, text/plain;q=0.9", OPENMETRICS),
        ("application/openmetrics-text;q=nan, text/plain;q=0.1", TEXT),
        ("application/openmetrics-text;q=-1, text/plain;q=0.1", TEXT),
        (",;q=1,,application/openmetrics-text,", OPENMETRICS),
        ("application/openmetrics-text;;version", TEXT),
    ],
)
def test_a_scraper_gets_the_format_that_it_prefers(accept: str | None, expected: str) -> None:
    assert negotiate(accept).content_type == expected


@pytest.mark.parametrize(
    "header",
    [
        ",".join(["text/plain;q=0.1"] * 100_000),
        "a" + "".join(f";{n}=0" for n in range(99_999)),
        "a," * 500_000,
    ],
)
def test_a_long_header_does_not_cause_more_work(header: str) -> None:
    assert sum(1 + len(media_range.parameters) for media_range in parse_accept(header)) <= 8192
