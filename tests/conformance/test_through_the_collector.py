"""What Prometheus gets through a Collector: exact comparisons, native histograms, exemplars."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import pytest
from opentelemetry import trace

from dualmetrics import Telemetry
from dualmetrics.cli.otlp_receiver import Receiver
from dualmetrics.experiments import Prometheus, Question, Window, compare
from tests import backends, peers
from tests.collectors import Collector, collector, init, pushing
from tests.experiments.prometheus import prometheus, value
from tests.otlp_prometheus import prometheus_with_otlp
from tests.ports import free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]

VARIANTS = {"baseline": 30, "candidate": 28}
"""The requests of each variant in the window."""


def scrape_only(running: Collector) -> str:
    """The configuration of a Prometheus that scrapes the Collector and nothing else."""
    job = {
        "job_name": "collector",
        "honor_labels": True,
        "scrape_interval": "300ms",
        "scrape_timeout": "300ms",
        "static_configs": [{"targets": [f"127.0.0.1:{running.port}"]}],
    }
    return json.dumps({"scrape_configs": [job]})


def serve(telemetry: Telemetry, requests: int) -> None:
    labels: dict[str, str | int] = {"http.method": "GET", "http.route": "/", "http.status_code": 200}
    meter = telemetry.meter("http")
    meter.create_counter("http.requests", "{request}").add(requests, labels)
    durations = meter.create_histogram("http.request.duration", "ms")
    for _ in range(requests):
        durations.record(20, labels)


def test_compare_counts_every_request_and_says_that_it_cannot_check_scrapes(tmp_path: Path) -> None:
    with collector(tmp_path, init(tmp_path)) as running, prometheus(tmp_path, scrape_only(running)) as url:
        apps = {name: pushing(running.http, name, variant=name) for name in VARIANTS}
        for app in apps.values():
            assert app.force_flush()
        wait_until(lambda: value(url, "count(collector_target_info)") == 2, 20, "the first pushes")
        start = time.time()
        for name, requests in VARIANTS.items():
            serve(apps[name], requests)
            assert apps[name].shutdown()
        total = "sum(collector_http_requests_total)"
        wait_until(lambda: value(url, total) == sum(VARIANTS.values()), 20, "the requests")
        wait_until(lambda: value(url, f"min(count_over_time({total[4:-1]}[1m]))") >= 3, 20, "more scrapes")
        window = Window(start, time.time(), time.time() + 3600)
        comparison = compare(Prometheus(url, "shop"), window, Question())
    counted = [counts.requests.sum() for counts in comparison.evidence.total]
    assert (counted, comparison.evidence.dropped) == (list(VARIANTS.values()), 0)
    assert [counts.durations.sum() for counts in comparison.evidence.total] == list(VARIANTS.values())
    [scrapes] = (check for check in comparison.checks if check.name == "scrapes")
    assert "no `up`, as behind a Collector" in scrapes.seen


@backends.takes_long
def test_with_start_times_compare_counts_what_came_before_the_first_push(tmp_path: Path) -> None:
    configuration = tmp_path / "prometheus.json"
    program = str(peers.prometheus_with_otlp())
    command = [program, "--enable-feature=created-timestamp-zero-ingestion"]
    with collector(tmp_path, init(tmp_path)) as running:
        configuration.write_text(scrape_only(running))
        with backends.run_prometheus(tmp_path, command, configuration) as (port, _):
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: value(url, "sum(up)") == 1, 20, "a scrape")
            start = time.time()
            for name, requests in VARIANTS.items():
                app = pushing(running.http, name, variant=name)
                serve(app, requests)
                assert app.shutdown()
            counts = "count_over_time(collector_http_requests_total[1m])"
            wait_until(lambda: value(url, f"count({counts} >= 4)") == 2, 20, "the scrapes")
            window = Window(start, time.time(), time.time() + 3600)
            evidence = compare(Prometheus(url, "shop"), window, Question()).evidence
    assert [counts.requests.sum() for counts in evidence.total] == list(VARIANTS.values())


def record_natively(endpoint: str, port: int) -> tuple[Telemetry, str]:
    """Record in a span, push, and show a page. Returns the trace id."""
    telemetry = pushing(
        endpoint,
        "native",
        histogram_aggregation="base2_exponential_bucket_histogram",
        native_histograms=True,
        exemplar_filter="always_on",
        metrics_exporter="prometheus,otlp",
        prometheus_port=port,
        scope_labels="none",
    )
    context = trace.SpanContext(0xABC << 100, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    meter = telemetry.meter("shop")
    with trace.use_span(trace.NonRecordingSpan(context)):
        meter.create_counter("orders").add(2)
    took = meter.create_histogram("took", "s")
    for number in range(1, 101):
        took.record(number / 10)
    assert telemetry.force_flush()
    return telemetry, f"{context.trace_id:032x}"


def have_one_result(database: backends.Database, one: str, other: str) -> bool:
    """Whether two expressions have the same result, and one at all."""
    results = [list(database.query(expression).values()) for expression in (one, other)]
    return bool(results[0]) and results[0] == results[1]


@backends.takes_long
@pytest.mark.parametrize("through_collector", [False, True])
def test_native_histograms_and_exemplars_are_those_of_a_scrape(
    through_collector: bool, tmp_path: Path
) -> None:
    page = free_port()
    with collector(tmp_path, init(tmp_path)) as running:
        targets = [backends.Target(page, {"export": "page"})]
        if through_collector:
            targets.append(backends.Target(running.port, {"export": "push"}))
        with prometheus_with_otlp(tmp_path, targets) as database:
            endpoint = running.http if through_collector else database.otlp
            prefix, pushed = ("collector_", '{export="push"}') if through_collector else ("", '{export=""}')
            telemetry, trace_id = record_natively(endpoint, page)
            for call in ("histogram_count(", "histogram_sum(", "histogram_quantile(0.9,"):
                ways = f'{call}took_seconds{{export="page"}})', f"{call}{prefix}took_seconds{pushed})"
                wait_until(partial(have_one_result, database, *ways), 20, str(ways))
            for counter in ('orders_total{export="page"}', f"{prefix}orders_total{pushed}"):
                wait_until(partial(database.exemplars, counter), 20, f"exemplars of {counter}")
                assert database.exemplars(counter)[0]["labels"]["trace_id"] == trace_id
            telemetry.shutdown()


def scraper(page: int, endpoint: str) -> str:
    """The configuration of a Collector that scrapes a page and pushes what it has."""
    scrape = {
        "job_name": "page",
        "scrape_interval": "300ms",
        "static_configs": [{"targets": [f"127.0.0.1:{page}"]}],
    }
    service = {
        "telemetry": {"metrics": {"level": "none"}},
        "pipelines": {"metrics": {"receivers": ["prometheus"], "exporters": ["otlp_http"]}},
    }
    return json.dumps(
        {
            "receivers": {"prometheus": {"config": {"scrape_configs": [scrape]}}},
            "exporters": {"otlp_http": {"endpoint": endpoint}},
            "service": service,
        }
    )


def received(receiver: Receiver, name: str) -> list[tuple[str, float, tuple[int, ...]]]:
    """Return the kind, value and buckets of each series of a metric."""
    series = receiver.series().items()
    return [(point.kind, point.value, point.buckets) for (_, found, _, _), point in series if found == name]


@backends.takes_long
def test_the_collectors_own_scraper_gets_the_numbers_of_the_push(tmp_path: Path) -> None:
    page = free_port()
    configuration = tmp_path / "scraping.yaml"
    with Receiver() as receiver:
        configuration.write_text(scraper(page, receiver.http_endpoint))
        with collector(tmp_path, configuration) as running:
            telemetry = pushing(receiver.http_endpoint, "shop", prometheus_port=page)
            serve(telemetry, 5)
            assert telemetry.force_flush()
            names = {
                "http_requests_total": "http.requests",
                "http_request_duration_milliseconds": "http.request.duration",
            }
            wait_until(
                lambda: all(
                    received(receiver, name) == received(receiver, pushed) for name, pushed in names.items()
                ),
                20,
                "the scrapes",
                details=running.log.read_text,
            )
            assert [len(received(receiver, name)) for name in names] == [1, 1]
            assert running.problems() == []
            telemetry.shutdown()
