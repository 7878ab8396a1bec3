"""The table of the demo: which series it compares, and when it calls them equal."""

from __future__ import annotations

import io

from dualmetrics.cli.console import PlainConsole
from dualmetrics.cli.demo_table import compare_sides, comparison_table, verdict_sentence
from dualmetrics.cli.samples import Samples, make_sample

HITS = make_sample("hits_total", route="/")


def all_equal(sent: Samples, page: Samples, received: Samples | None) -> bool:
    return all(series.equal for series in compare_sides(sent, page, received))


def test_equal_numbers_are_equal() -> None:
    assert all_equal({HITS: 3}, {HITS: 3}, {HITS: 3})


def test_a_side_that_differs_or_lacks_the_series_is_not_equal() -> None:
    assert not all_equal({HITS: 3}, {HITS: 2}, {HITS: 3})
    assert not all_equal({HITS: 3}, {HITS: 3}, {HITS: 2})
    assert not all_equal({HITS: 3}, {}, {HITS: 3})
    assert not all_equal({HITS: 3}, {HITS: 3}, {})
    assert not all_equal({}, {HITS: 3}, {})


def test_a_collector_that_cannot_be_read_is_not_compared() -> None:
    assert all_equal({HITS: 3}, {HITS: 3}, None)
    assert not all_equal({HITS: 3}, {HITS: 2}, None)


def test_buckets_are_compared_and_shown_only_if_they_differ() -> None:
    bucket = make_sample("d_bucket", le="1")
    assert compare_sides({}, {bucket: 1}, {bucket: 1}) == []
    [series] = compare_sides({}, {bucket: 1}, {bucket: 2})
    assert not series.equal


def test_the_memory_of_the_host_is_shown_and_not_compared() -> None:
    memory = make_sample("system_memory_usage_bytes", state="used")
    [series] = compare_sides({}, {memory: 1}, {memory: 2})
    assert series.moving
    assert series.equal


def test_the_verdict_counts_the_values_and_those_that_differ() -> None:
    memory = make_sample("system_memory_usage_bytes", state="used")
    equal = compare_sides({HITS: 3}, {HITS: 3, memory: 1}, {HITS: 3, memory: 2})
    different = compare_sides({HITS: 3}, {HITS: 3}, {HITS: 2})
    assert verdict_sentence([equal, equal], killed=2, is_received=True) == (
        "All 2 values equal on the page and in the push; 2 workers killed, nothing lost."
    )
    assert verdict_sentence([equal], killed=1, is_received=False).startswith(
        "All 1 values equal on the page;"
    )
    sentence = verdict_sentence([equal, different], killed=2, is_received=True)
    assert sentence.startswith("1 of 2 values differ on the page and in the push")
    assert "nothing lost" not in sentence


def test_hostile_labels_reach_no_terminal() -> None:
    series = make_sample("hits_total", route="/x/[/a-z]+\x1b[31m\n")
    console = PlainConsole(file=io.StringIO())
    with console.capture() as captured:
        console.print(
            comparison_table("app", compare_sides({}, {series: 1}, {series: 2}), received_known=True)
        )
    assert r'hits_total{route="/x/[/a-z]+\x1b[31m\n"}' in captured.get().splitlines()[-1]
    assert "DIFFERENT" in captured.get()
