"""Names, labels and values agree with OpenTelemetry's exporter, except where it deviates from the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.metrics import Meter

from dualmetrics.exporters.prometheus import PrometheusExporter
from tests.unit.exporters.prometheus.reading import Sample, samples
from tests.unit.exporters.sdk import recorded

# Names, units and labels on which both exporters agree. The deviations are listed below.
words = st.sampled_from(["http", "server", "queue", "x1", "size", "time", "hits"])
names = st.lists(words, min_size=1, max_size=3).map("_".join) | st.lists(words, min_size=1, max_size=3).map(
    ".".join
)
units = st.sampled_from(
    ["", "s", "ms", "By", "GBy", "%", "Cel", "{request}", "widget", "m/s", "By/s", "By/min"]
)
keys = st.sampled_from(["a", "b.c", "http.route", "CamelCase", "x9"])
# Their exporter shows a series twice if a text is empty or looks like a value of another type.
lookalikes = {str(number) for number in range(-9, 10)} | {"true", "false"}
printable = st.text(st.characters(blacklist_categories=["Cs"]), min_size=1).filter(
    lambda text: text not in lookalikes
)
values = st.one_of(printable, st.booleans(), st.integers(-9, 9))
amounts = st.integers(0, 10**6)


@dataclass(frozen=True)
class Instrument:
    make: str
    name: str
    unit: str
    recorded: list[tuple[int, dict[str, object]]]

    def use(self, meter: Meter) -> None:
        instrument = getattr(meter, f"create_{self.make}")(self.name, self.unit, "What it is.")
        act = {"histogram": "record", "gauge": "set"}.get(self.make, "add")
        for amount, attributes in self.recorded:
            getattr(instrument, act)(amount, attributes)


instruments = st.builds(
    Instrument,
    st.sampled_from(["counter", "up_down_counter", "histogram", "gauge"]),
    names,
    units,
    st.lists(st.tuples(amounts, st.dictionaries(keys, values, max_size=3)), min_size=1, max_size=4),
)


@given(
    used=st.lists(
        instruments, min_size=1, max_size=4, unique_by=lambda instrument: instrument.name.replace(".", "_")
    )
)
def test_the_page_has_the_same_samples_as_that_of_opentelemetrys_exporter(used: list[Instrument]) -> None:
    def record(meter: Meter) -> None:
        for instrument in used:
            instrument.use(meter)

    ours, theirs, reports = both(record)
    if not reports:  # their page is invalid if two metrics share a name
        assert ours == theirs


@dataclass(frozen=True)
class Deviation:
    """A difference between their exporter and Prometheus' translator or the specification."""

    reason: str
    instrument: Instrument
    theirs: str
    ours: str


def counter(name: str, unit: str = "") -> Instrument:
    return Instrument("counter", name, unit, [(1, {})])


def labelled(key: str, value: object) -> Instrument:
    return Instrument("counter", "c", "", [(1, {key: value})])


DEVIATIONS = [
    Deviation(
        "a gauge of unit 1 is a ratio (specification, Metric Metadata)",
        Instrument("gauge", "fill", "1", [(1, {})]),
        "fill",
        "fill_ratio",
    ),
    Deviation(
        "_total is not repeated within a name", counter("total.hits"), "total_hits_total", "hits_total"
    ),
    Deviation(
        "a unit is not added if the name has it already",
        counter("bytes.sent", "By"),
        "bytes_sent_bytes_total",
        "bytes_sent_total",
    ),
    Deviation("a trailing separator is not a word", counter("hits."), "hits__total", "hits_total"),
    Deviation(
        "an annotation after the slash is ignored",
        counter("sent", "By/{request}"),
        "sent_By_total",
        "sent_bytes_total",
    ),
    Deviation(
        "a label that begins with a digit is prefixed with key_",
        labelled("9lives", "x"),
        '{_lives="x"}',
        '{key_9lives="x"}',
    ),
    Deviation(
        "a label that begins with __ is prefixed with key",
        labelled("__a", "x"),
        '{_a="x"}',
        '{key__a="x"}',
    ),
    Deviation("each character becomes one _", labelled("a..b", "x"), '{a_b="x"}', '{a__b="x"}'),
    Deviation("an integral float has no decimal point", labelled("a", 1.0), '{a="1.0"}', '{a="1"}'),
    Deviation("lists are compact JSON", labelled("a", (1, 2)), '{a="[1, 2]"}', '{a="[1,2]"}'),
    Deviation(
        "values of attributes with the same label are joined (specification, Metric Attributes)",
        Instrument("counter", "c", "", [(1, {"a.b": "1", "a_b": "2"})]),
        '{a_b="2"}',
        '{a_b="1;2"}',
    ),
]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.reason)
def test_the_known_deviations_still_exist(deviation: Deviation) -> None:
    ours, theirs, _ = both(deviation.instrument.use)
    assert only_sample(theirs, deviation.theirs) == deviation.theirs
    assert only_sample(ours, deviation.ours) == deviation.ours


def both(record: Callable[[Meter], None]) -> tuple[dict[Sample, str], dict[Sample, str], list[str]]:
    """The samples of our page, those of their page, and our reports."""
    reports: list[str] = []
    snapshot, page = recorded(record)
    mine = PrometheusExporter(on_conflict=reports.append).render(snapshot)
    return samples(mine), {_without_empty(key): value for key, value in samples(page).items()}, reports


def _without_empty(sample: Sample) -> Sample:
    """Remove the empty labels that their exporter adds; for Prometheus they make no difference."""
    name, labels = sample
    return name, tuple((key, value) for key, value in labels if value)


def only_sample(samples_: dict[Sample, str], like: str) -> str:
    """The name or the labels (without the scope's) of the only sample besides ``target_info``."""
    [(name, labels)] = [key for key in samples_ if key[0] != "target_info"]
    if not like.startswith("{"):
        return name
    return (
        "{" + ",".join(f'{key}="{value}"' for key, value in labels if not key.startswith("otel_scope_")) + "}"
    )
