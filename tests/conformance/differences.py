"""What receivers of a push name in another way than the page: a table of docs/parity.md.

Run ``python -m tests.conformance.differences`` to print the table after changing a row.
"""

from __future__ import annotations

from typing import NamedTuple

from dualmetrics.model.attributes import AttributeValue
from dualmetrics.model.descriptor import Descriptor, InstrumentationScope, Kind
from dualmetrics.model.snapshot import Family, Point

LOST = "lost"
"""The metric is not stored."""
REFUSED = "the push fails"
"""The whole push is refused (HTTP 500), with all other metrics in it."""


def metric(
    name: str, unit: str = "", kind: Kind = Kind.GAUGE, attributes: dict[str, AttributeValue] | None = None
) -> Family:
    """Return a metric with one series, whose value is 1."""
    cells = (1.0, 1.0) if kind is Kind.GAUGE else (1.0,)
    keys = tuple(sorted((attributes or {}).items()))
    return Family(Descriptor(InstrumentationScope("shop"), name, kind, unit), (Point(keys, 1, cells),))


class Difference(NamedTuple):
    """A metric, and its series on the page and in each receiver. The Collector's are those on its page."""

    recorded: str
    metric: Family
    page: str
    prometheus: str
    collector: str
    victoria_metrics: str
    avoided_by: str

    def row(self) -> str:
        """The row of the table."""
        shown = (self.page, self.prometheus, self.collector, self.victoria_metrics)
        cells = [text if text in (LOST, REFUSED) else f"`{text}`" for text in shown]
        return f"| {self.recorded} | {' | '.join(cells)} | {self.avoided_by} |"


COUNTER, UP_DOWN = Kind.COUNTER, Kind.UP_DOWN_COUNTER

DIFFERENCES = [
    Difference(
        "attribute `1e21`, a float",
        metric("big", attributes={"a": 1e21}),
        "big{a=1e+21}",
        "big{a=1e+21}",
        "big{a=1e+21}",
        "big{a=1000000000000000000000}",
        "text",
    ),
    Difference(
        "attribute `1e-7`, a float",
        metric("small", attributes={"a": 1e-7}),
        "small{a=1e-7}",
        "small{a=1e-7}",
        "small{a=1e-7}",
        "small{a=0.0000001}",
        "text",
    ),
    Difference(
        "attribute `[1e19]`",
        metric("list", attributes={"a": (1e19,)}),
        "list{a=[10000000000000000000]}",
        "list{a=[10000000000000000000]}",
        "list{a=[10000000000000000000]}",
        "list{a=[1e+19]}",
        "text",
    ),
    Difference(
        "list with a control or unassigned character",
        metric("text", attributes={"a": ("\x01",)}),
        'text{a=["\\u0001"]}',
        'text{a=["\\u0001"]}',
        'text{a=["\\u0001"]}',
        'text{a=["\\x01"]}',
        "text without them",
    ),
    Difference(
        "attributes `a.b` and `a_b` at once",
        metric("joined", attributes={"a.b": "x", "a_b": "y"}),
        "joined{a_b=x;y}",
        "joined{a_b=x;y}",
        LOST,
        "joined{a_b=y}",
        "other keys",
    ),
    Difference(
        "attribute `job` or `instance`",
        metric("work", attributes={"job": "x"}),
        "work{job=x}",
        "work",
        LOST,
        "work{job=x}",
        "other keys: these are the resource's",
    ),
    Difference(
        "attribute `__a`",
        metric("reserved", attributes={"__a": "x"}),
        "reserved{key__a=x}",
        "reserved{__a=x}",
        LOST,
        "reserved{__a=x}",
        "a key with at most one leading underscore",
    ),
    Difference(
        "attribute `é`, without any letter of ASCII",
        metric("letters", attributes={"é": "x"}),
        "letters{key_=x}",
        REFUSED,
        LOST,
        "letters{_=x}",
        "a key with a letter or digit of ASCII",
    ),
    Difference("unit `°C`", metric("warm", "°C"), "warm_C", "warm_C", "warm_C", "warm_°C", "`Cel`"),
    Difference(
        "name `9.lives`",
        metric("9.lives"),
        "_9_lives",
        "_9_lives",
        "9_lives",
        "9_lives",
        "a name that starts with a letter, as OpenTelemetry requires",
    ),
    Difference(
        "name `second.hand`, unit `1/s`",
        metric("second.hand", "1/s"),
        "second_hand_per_second",
        "second_hand_per_second",
        "second_hand_per_second",
        "second_hand",
        "a name without its unit",
    ),
    Difference(
        "counter `total.total.hits`, unit `s`",
        metric("total.total.hits", "s", COUNTER),
        "hits_seconds_total",
        "hits_seconds_total",
        "hits_seconds_total",
        "total_hits_seconds_total",
        "a name without `total`",
    ),
    Difference(
        "up-down counter of unit `1`",
        metric("share", "1", UP_DOWN),
        "share",
        "share",
        "share",
        "share_ratio",
        "unit `{share}`, or a gauge",
    ),
]
"""Rows that differ somewhere."""

TITLES = ("recorded", "page", "Prometheus' receiver", "Collector's page", "VictoriaMetrics", "avoided by")


def table() -> str:
    """Return the table of docs/parity.md."""
    head = [f"| {' | '.join(TITLES)} |", "|" + "---|" * len(TITLES)]
    return "\n".join([*head, *(difference.row() for difference in DIFFERENCES), ""])


if __name__ == "__main__":
    print(table())  # noqa: T201  # it is a program
