"""The performance goals of the project, and whether the results reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.real_servers import PER_CPU_SECOND, PER_SECOND
from benchmarks.results import Result

INSTRUMENTATOR = "prometheus-fastapi-instrumentator"
SDK_AND_OTLP = "OTel SDK, Prometheus and OTLP"
OTEL_FLASK = "OTel Flask and exporters"
OTEL_ASGI = "OTel ASGI and exporters"
NOT_MEASURED = "not measured"


class Figures:
    """Looks up statistics. What was not measured, or failed, raises KeyError."""

    def __init__(self, results: Mapping[str, Result]) -> None:
        self._results = results

    def get(
        self, question: str, contestant: str, column: str = "", case: int = 0, statistic: str = "median"
    ) -> float:
        """One statistic of a contestant."""
        return self._results[question].find(contestant, case).columns[column][statistic]

    def added(self, question: str, contestant: str) -> float:
        """What a contestant costs more than the bare app."""
        return self.get(question, contestant) - self.get(question, "bare")

    def largest_case(self, question: str) -> int:
        """The largest case that was measured."""
        return self._results[question].cases()[-1]


Formula = Callable[[Figures], float]


class Goal(NamedTuple):
    """``value`` must be at most ``limit``, or at least ``limit`` with ``is_minimum``."""

    text: str
    limit: float
    value: Formula
    is_minimum: bool = False

    def is_reached(self, value: float) -> bool:
        return value >= self.limit if self.is_minimum else value <= self.limit


def request(question: str, other: str) -> Formula:
    """What we add to a request, divided by what another contestant adds."""
    return lambda figures: figures.added(question, "ours") / figures.added(question, other)


def ratio(question: str, other: str, column: str = "", case: int = 0) -> Formula:
    """Our value, divided by that of another contestant."""
    return lambda figures: (
        figures.get(question, "ours", column, case) / figures.get(question, other, column, case)
    )


def columns_ratio(question: str, column: str, other: str, other_column: str) -> Formula:
    """Our value at 10,000, divided by one in another column."""
    return lambda figures: (
        figures.get(question, "ours", column, 10_000) / figures.get(question, other, other_column, 10_000)
    )


def recycled_to_fresh(figures: Figures) -> float:
    """Our page after recycled workers, divided by our page without."""
    dead_workers = figures.largest_case("recycled")
    if not dead_workers:
        raise KeyError("no case with recycled workers")
    return figures.get("recycled", "ours", case=dead_workers) / figures.get("recycled", "ours")


def import_ratio(ours: str, other: str, framework: str = "") -> Formula:
    """Our import time without the interpreter's own start, divided by another's.

    With ``framework``, the import of the framework is subtracted from ours as well.
    """

    def value(figures: Figures) -> float:
        start = figures.get("imports", "bare interpreter", "CPU")
        subtracted = figures.get("imports", framework, "CPU") if framework else start
        cost = figures.get("imports", ours, "CPU") - subtracted
        return cost / (figures.get("imports", other, "CPU") - start)

    return value


def stall_p99(column: str) -> Formula:
    """Our 99th percentile with 10,000 series."""
    return lambda figures: figures.get("stall", "ours", column, 10_000, "p99")


REQUEST_GOALS = (
    Goal("Starlette request, relative to the floor", 1.5, request("asgi", "floor")),
    Goal(f"Starlette request, relative to {INSTRUMENTATOR}", 1 / 10, request("asgi", INSTRUMENTATOR)),
    Goal(
        "Starlette request, relative to OTel with two readers",
        1 / 40,
        request("asgi", "OTel ASGI, Prometheus and OTLP"),
    ),
    Goal("Flask request, relative to the floor", 1.3, request("wsgi", "floor")),
    Goal(
        "Flask request, relative to the floor with our imports",
        1.3,
        request("wsgi", "floor with our imports"),
    ),
    Goal(
        "Flask request, relative to prometheus-flask-exporter",
        1 / 5,
        request("wsgi", "prometheus-flask-exporter"),
    ),
)

INSTRUMENT_GOALS = tuple(
    Goal(f"`{call}`, relative to {name}", limit, ratio("instruments", other, call))
    for name, other, limit in (
        ("prometheus_client", "prometheus_client", 1),
        ("the SDK with two readers", SDK_AND_OTLP, 1 / 6),
    )
    for call in ("counter.add", "histogram.record")
)

PAGE_GOALS = (
    Goal(
        "page, 10,000 series, all changed, relative to the template floor",
        1.6,
        ratio("page", "floor", "text, all changed", 10_000),
    ),
    Goal(
        "page, 10,000 series, 1% changed, relative to the cached floor",
        2.5,
        ratio("page", "floor", "text, 1% changed", 10_000),
    ),
    Goal(
        "page in OpenMetrics, relative to our text format",
        1.5,
        columns_ratio("page", "OpenMetrics, all changed", "ours", "text, all changed"),
    ),
    Goal("page of 8 workers, warm, relative to the floor", 2, ratio("workers", "floor", "warm", 8)),
    Goal("page of 8 workers, cold, relative to the floor", 1.5, ratio("workers", "floor", "cold", 8)),
    Goal("page after recycled workers, relative to the page without", 1.1, recycled_to_fresh),
)

PUSH_GOALS = (
    Goal(
        "OTLP, 10,000 series to bytes, relative to the SDK",
        0.5,
        ratio("otlp", "OTel SDK", "to bytes", 10_000),
    ),
    *(
        Goal(
            f"registry, 10,000 lines of {kind}, {output}, relative to its own page",
            2,
            columns_ratio("registry", f"{kind}, {output}", "prometheus_client", f"{kind}, page"),
        )
        for kind in ("counters", "histograms")
        for output in ("page", "to bytes")
    ),
)

SERVER_GOALS = tuple(
    Goal(
        f"uvicorn, requests {column}, relative to {name}",
        limit,
        ratio("uvicorn", other, column),
        is_minimum=True,
    )
    for column in (PER_SECOND, PER_CPU_SECOND)
    for name, other, limit in (("bare", "bare", 0.93), ("the instrumentator", INSTRUMENTATOR, 2))
)

STALL_GOALS = tuple(
    Goal(f"stall by a {work} of 10,000 series, {share}, p99 in switch intervals", 3, stall_p99(work + suffix))
    for share, suffix in (("all changed", ""), ("1% changed", ", 1% changed"))
    for work in ("scrape", "push")
)

IMPORT_GOALS = (
    Goal("import for Flask, relative to OTel with exporters", 1 / 3, import_ratio("ours, Flask", OTEL_FLASK)),
    Goal(
        "import for Starlette, relative to OTel with exporters",
        1 / 3,
        import_ratio("ours, Starlette", OTEL_ASGI),
    ),
    Goal("the same for Flask, without Flask itself", 1 / 3, import_ratio("ours, Flask", OTEL_FLASK, "flask")),
    Goal(
        "the same for Starlette, without Starlette itself",
        1 / 3,
        import_ratio("ours, Starlette", OTEL_ASGI, "starlette"),
    ),
)

GOALS = (
    *REQUEST_GOALS,
    *INSTRUMENT_GOALS,
    *PAGE_GOALS,
    *PUSH_GOALS,
    *SERVER_GOALS,
    *STALL_GOALS,
    *IMPORT_GOALS,
)


def goal_table(results: Mapping[str, Result]) -> str:
    """All goals with what was measured, as a table in Markdown."""
    return "\n".join(("| goal | target | measured | reached |", "|---|---|---|---|", *_lines(results))) + "\n"


def _lines(results: Mapping[str, Result]) -> Iterator[str]:
    figures = Figures(results)
    for goal in GOALS:
        target = f"{'at least' if goal.is_minimum else 'at most'} {goal.limit:.3g}"
        try:
            value = goal.value(figures)
        except (KeyError, ZeroDivisionError):
            yield f"| {goal.text} | {target} | {NOT_MEASURED} | ? |"
        else:
            reached = "yes" if goal.is_reached(value) else "**no**"
            yield f"| {goal.text} | {target} | {value:.3g} | {reached} |"
