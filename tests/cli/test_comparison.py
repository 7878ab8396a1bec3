from __future__ import annotations

from dualmetrics.cli.demo_table import compare_sides
from dualmetrics.cli.samples import Samples, make_sample

HITS = make_sample("hits_total", route="/")


def equal(sent: Samples, page: Samples, received: Samples | None) -> bool:
    return all(line.equal for line in compare_sides(sent, page, received))


def test_equal_numbers_are_equal() -> None:
    assert equal({HITS: 3}, {HITS: 3}, {HITS: 3})


def test_any_side_that_differs_or_lacks_the_series_is_seen() -> None:
    assert not equal({HITS: 3}, {HITS: 2}, {HITS: 3})
    assert not equal({HITS: 3}, {HITS: 3}, {HITS: 2})
    assert not equal({HITS: 3}, {}, {HITS: 3})
    assert not equal({HITS: 3}, {HITS: 3}, {})
    assert not equal({}, {HITS: 3}, {})


def test_a_collector_that_cannot_be_asked_is_left_out() -> None:
    assert equal({HITS: 3}, {HITS: 3}, None)
    assert not equal({HITS: 3}, {HITS: 2}, None)


def test_buckets_are_compared_and_shown_only_where_they_differ() -> None:
    bucket = make_sample("d_bucket", le="1")
    assert compare_sides({}, {bucket: 1}, {bucket: 1}) == []
    [line] = compare_sides({}, {bucket: 1}, {bucket: 2})
    assert not line.equal


def test_the_hosts_memory_is_shown_and_not_judged() -> None:
    memory = make_sample("system_memory_usage_bytes", state="used")
    [line] = compare_sides({}, {memory: 1}, {memory: 2})
    assert line.moving
    assert line.equal
