"""What the project wants of itself, and whether the results say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from benchmarks.real_servers import PER_PROCESSOR_SECOND, PER_SECOND
from benchmarks.results import Result

INSTRUMENTATOR = "prometheus-fastapi-instrumentator"
TWO_READERS = "OTel SDK, Prometheus and OTLP"


class Figures:
    """Looks results up. What was not measured, or failed, is a KeyError."""

    def __init__(self, results: Mapping[str, Result]) -> None:
        self._results = results

    def of(
        self, question: str, contestant: str, column: str = "", case: int = 0, statistic: str = "median"
    ) -> float:
        """One statistic."""
        return self._results[question].find(contestant, case).columns[column][statistic]

    def added(self, question: str, contestant: str, base: str = "bare") -> float:
        """What a contestant costs more than the base."""
        return self.of(question, contestant) - self.of(question, base)

    def last_case(self, question: str) -> int:
        """The largest case that we were measured in."""
        return self._results[question].cases()[-1]


class Goal(NamedTuple):
    """``value`` is to be no more than ``limit``, or no less if ``least``."""

    text: str
    limit: float
    value: Callable[[Figures], float]
    least: bool = False

    def reached(self, value: float) -> bool:
        return value >= self.limit if self.least else value <= self.limit


def request(question: str, to: str) -> Callable[[Figures], float]:
    """What we add to a request, divided by what another contestant adds."""
    return lambda figures: figures.added(question, "ours") / figures.added(question, to)


def ratio(
    question: str, to: str, column: str = "", case: int = 0, name: str = "ours"
) -> Callable[[Figures], float]:
    """What it costs us, divided by what it costs another contestant."""
    return lambda figures: figures.of(question, name, column, case) / figures.of(question, to, column, case)


def openmetrics_to_text(figures: Figures) -> float:
    return figures.of("page", "ours", "OpenMetrics, all changed", 10_000) / figures.of(
        "page", "ours", "text, all changed", 10_000
    )


def recycled_to_fresh(figures: Figures) -> float:
    gone = figures.last_case("recycled")
    if not gone:
        raise KeyError("recycled workers")
    return figures.of("recycled", "ours", case=gone) / figures.of("recycled", "ours")


def imported(ours: str, theirs: str, framework: str = "") -> Callable[[Figures], float]:
    """Import times without the interpreter's own start; ours without that of a ``framework`` either."""

    def value(figures: Figures) -> float:
        start = figures.of("imports", "bare interpreter", "processor")
        own = figures.of("imports", ours, "processor")
        own -= figures.of("imports", framework, "processor") if framework else start
        return own / (figures.of("imports", theirs, "processor") - start)

    return value


def bridged(kind: str, what: str) -> Callable[[Figures], float]:
    """Our page or push of a registry, divided by its own page."""
    return lambda figures: (
        figures.of("registry", "ours", f"{kind}, {what}", 10_000)
        / figures.of("registry", "prometheus_client", f"{kind}, page", 10_000)
    )


def stalled(column: str) -> Callable[[Figures], float]:
    """Our 99th percentile."""
    return lambda figures: figures.of("stall", "ours", column, 10_000, "p99")


GOALS = (
    Goal("ASGI request: times the floor", 1.5, request("asgi", "floor")),
    Goal("ASGI request: of prometheus-fastapi-instrumentator", 1 / 10, request("asgi", INSTRUMENTATOR)),
    Goal("ASGI request: of OTel with two readers", 1 / 40, request("asgi", "OTel ASGI, Prometheus and OTLP")),
    Goal("WSGI request: times the floor", 1.3, request("wsgi", "floor")),
    Goal("the same, the floor beside our imports", 1.3, request("wsgi", "floor beside our imports")),
    Goal("WSGI request: of prometheus-flask-exporter", 1 / 5, request("wsgi", "prometheus-flask-exporter")),
    Goal("`counter.add`: of prometheus_client", 1, ratio("instruments", "prometheus_client", "counter.add")),
    Goal(
        "`histogram.record`: of prometheus_client",
        1,
        ratio("instruments", "prometheus_client", "histogram.record"),
    ),
    Goal(
        "`counter.add`: of the SDK with two readers", 1 / 6, ratio("instruments", TWO_READERS, "counter.add")
    ),
    Goal(
        "`histogram.record`: of the SDK with two readers",
        1 / 6,
        ratio("instruments", TWO_READERS, "histogram.record"),
    ),
    Goal(
        "page, 10,000 sets, all changed: times the template floor",
        1.6,
        ratio("page", "floor", "text, all changed", 10_000),
    ),
    Goal(
        "page, 10,000 sets, 1% changed: times the cached floor",
        2.5,
        ratio("page", "floor", "text, 1% changed", 10_000),
    ),
    Goal("page, OpenMetrics: times our text", 1.5, openmetrics_to_text),
    Goal("page of 8 workers, warm: times the floor", 2, ratio("workers", "floor", "warm", 8)),
    Goal("page of 8 workers, cold: times the floor", 1.5, ratio("workers", "floor", "cold", 8)),
    Goal("page after recycled workers: times that without", 1.1, recycled_to_fresh),
    Goal("OTLP, 10,000 sets to bytes: of the SDK", 0.5, ratio("otlp", "OTel SDK", "to bytes", 10_000)),
    *(
        Goal(f"registry of 10,000 {kind}' lines, {what}: of its own page", 2, bridged(kind, what))
        for kind in ("counters", "histograms")
        for what in ("page", "to bytes")
    ),
    *(
        Goal(f"requests {column} behind uvicorn: {words}", least, ratio("uvicorn", to, column), least=True)
        for column in (PER_SECOND, PER_PROCESSOR_SECOND)
        for words, to, least in (("of bare", "bare", 0.93), ("times the instrumentator's", INSTRUMENTATOR, 2))
    ),
    *(
        Goal(f"stall by a {duty} of 10,000 sets, {words}p99: switch intervals", 3, stalled(f"{duty}{column}"))
        for words, column in (("all changed, ", ""), ("1% changed, ", ", 1% changed"))
        for duty in ("scrape", "push")
    ),
    Goal(
        "import, Flask: of OTel's with exporters", 1 / 3, imported("ours, Flask", "OTel Flask and exporters")
    ),
    Goal(
        "import, Starlette: of OTel's with exporters",
        1 / 3,
        imported("ours, Starlette", "OTel ASGI and exporters"),
    ),
    Goal(
        "the same, Flask, without Flask's own import",
        1 / 3,
        imported("ours, Flask", "OTel Flask and exporters", "flask"),
    ),
    Goal(
        "the same, Starlette, without Starlette's own import",
        1 / 3,
        imported("ours, Starlette", "OTel ASGI and exporters", "starlette"),
    ),
)


def verdicts(results: Mapping[str, Result]) -> str:
    """A table of all goals."""
    return "\n".join(("| goal | wanted | measured | reached |", "|---|---|---|---|", *_lines(results))) + "\n"


def _lines(results: Mapping[str, Result]) -> Iterator[str]:
    figures = Figures(results)
    for goal in GOALS:
        wanted = f"{'at least' if goal.least else 'at most'} {goal.limit:.3g}"
        try:
            value = goal.value(figures)
        except (KeyError, ZeroDivisionError):
            yield f"| {goal.text} | {wanted} | not measured | ? |"
        else:
            verdict = "yes" if goal.reached(value) else "**no**"
            yield f"| {goal.text} | {wanted} | {value:.3g} | {verdict} |"
