"""Sources that answer anything: a comparison ends with a sentence, and all that it prints is printable."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dualmetrics.cli.commands import dualmetrics_command
from tests.experiments.exporters import Exporter, serving

HOSTILE = [
    "\x1b]0;title\x07",
    "[/a-z]+ [bold]",
    "a\nb\r",
    "\u202egnp.exe",
    ":warning:",
    "$\\frac$",
    "_x",
    "x" * 300,
    "\x9b1m",
    "<b>&",
    "| `",
]
VERDICTS = {0, 1, 3, 4}


class Answering:
    """A server whose answers a test sets: a body for each beginning of a path."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        answering = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = next(
                    (body for path, body in answering.bodies.items() if self.path.startswith(path)), b""
                )
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Answering:  # noqa: PYI034  # Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def server() -> Iterator[Answering]:
    with Answering() as running:
        yield running


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(dualmetrics_command, ["compare", *arguments])
    assert result.exit_code in {*VERDICTS, 2, 5}, result.output
    assert "Traceback" not in result.output
    assert all(each.isprintable() or each == "\n" for each in result.output), result.output
    return result


words = st.sampled_from(
    [
        "baseline",
        "candidate",
        "http_requests_total",
        "http_request_duration_milliseconds_bucket",
        "5",
        "10",
        "+Inf",
        "NaN",
        "-1",
        "1e999",
        "200",
        "500",
        *HOSTILE,
    ]
) | st.text(max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
labels = st.dictionaries(
    st.sampled_from(["__name__", "variant", "le", "http_route", "http_status_code", "job", "instance"]),
    words | anything,
)
samples = st.lists(
    st.tuples(st.floats(1, 1e5) | anything, words | st.integers(0, 99).map(str) | anything) | anything,
    max_size=3,
)
series = st.fixed_dictionaries(
    {"metric": labels | anything}, optional={"values": samples, "histograms": samples}
)
results = st.lists(series | anything, max_size=4)


def answer(data: Any) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    now=st.tuples(st.floats(), st.just("100000") | anything) | anything,
    query=results | anything,
    query_range=results | anything,
    values=st.lists(words, max_size=4) | anything,
    raw=st.none() | st.binary(max_size=20) | st.just(b'{"status": "error", "error": "\\u001b[31m"}'),
)
def test_any_answers_of_a_prometheus_give_a_sentence(
    server: Answering, now: Any, query: Any, query_range: Any, values: Any, raw: bytes | None
) -> None:
    server.bodies = {
        "/api/v1/query?query=time": answer({"result": now}),
        "/api/v1/query_range": answer({"result": query_range}),
        "/api/v1/query": answer({"result": query}),
        "/api/v1/label": answer(values),
    }
    if raw is not None:
        server.bodies = {"/": raw}
    run("shop", "--prometheus", server.url)
    run(
        "shop",
        "--prometheus",
        server.url,
        "--start",
        "1000",
        "--end",
        "100000",
        "--by",
        "route",
        "--format",
        "html",
    )


NUMBERS = ["0", "1", "5", "1e4", "1e300", "1.7e308", "-1", "NaN", "+Inf", "-Inf", "1e-320"]
TIMES = [0.0, 99_000.0, 99_001.0, 99_500.0, 99_999.0, 1e300]


def plausible(*fields: str) -> st.SearchStrategy[list[Any]]:
    """Series as a Prometheus would return them, with extreme numbers."""
    numbers = st.sampled_from(NUMBERS)
    metric = st.fixed_dictionaries(
        {field: st.sampled_from(["5", "10", "+Inf", "200", *HOSTILE]) for field in fields}
    )
    values = st.lists(
        st.tuples(st.sampled_from(TIMES), numbers), min_size=1, max_size=6, unique_by=lambda pair: pair[0]
    )
    buckets = st.lists(st.tuples(st.just(0), numbers, numbers, numbers), max_size=3).map(
        lambda some: {"buckets": some}
    )
    native = st.lists(st.tuples(st.sampled_from(TIMES), buckets), max_size=3)
    one = st.fixed_dictionaries({"metric": metric, "values": values.map(sorted)}) | st.fixed_dictionaries(
        {"metric": metric, "histograms": native}
    )
    return st.lists(one, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    requests=plausible("http_route", "http_status_code"),
    buckets=plausible("http_route", "le"),
    native=plausible("http_route"),
    up=plausible("job"),
)
def test_extreme_samples_give_a_sentence(
    server: Answering, requests: Any, buckets: Any, native: Any, up: Any
) -> None:
    query = "/api/v1/query?query="
    server.bodies = {
        f"{query}time": answer({"result": [0, "100000"]}),
        f"{query}http_requests_total": answer({"result": requests}),
        f"{query}http_request_duration_milliseconds_bucket": answer({"result": buckets}),
        f"{query}http_request_duration_milliseconds": answer({"result": native}),
        query: answer({"result": up}),
        "/api/v1/label": answer(["http_requests_total", "http_request_duration_milliseconds_bucket"]),
    }
    run(
        "shop",
        "--prometheus",
        server.url,
        "--start",
        "99000",
        "--end",
        "100000",
        "--by",
        "route",
        "--format",
        "html",
    )


def page_line(name: str, labels: dict[str, str], value: str) -> str:
    quoted = (f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{','.join(quoted)}}} {value}\n"


page_lines = st.builds(
    page_line,
    st.sampled_from(
        [
            "http_requests_total",
            "http_request_duration_milliseconds_bucket",
            "http_request_duration_milliseconds",
            "process_start_time_seconds",
            "up",
        ]
    )
    | words,
    st.dictionaries(st.sampled_from(["le", "http_route", "http_status_code"]) | words, words),
    st.integers(0, 10**6).map(str) | words,
)


@given(page=st.lists(page_lines | words, max_size=8).map("".join))
def test_any_metrics_page_gives_a_sentence(server: Answering, page: str) -> None:
    server.bodies = {"/": page.encode("utf-8", "surrogatepass")}
    url = f"{server.url}/metrics"
    run("--pages", url, url, "--watch", "0s", "--by", "route")
    run("--pages", url, url, "--watch", "0s", "--by", "route", "--format", "html")


def escaped(text: str) -> str:
    """The form of a label's value on a page."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_routes_and_variants_reach_no_terminal(form: str, hostile: str) -> None:
    exporter = Exporter(lambda exporter, _: exporter.serve(2000, route=escaped(hostile)))
    with serving(exporter) as address:
        url = f"http://{address}/metrics"
        result = run(
            "--pages", url, url, "--watch", "0s", "--by", "route", "--format", form, "--candidate", hostile
        )
    assert result.exit_code == 3
    if form == "text":
        assert f"route {hostile.encode('unicode_escape').decode()}".replace("\\\\", "\\") in result.output


def test_the_advice_about_other_metrics_helps() -> None:
    exporter = Exporter()
    with serving(exporter) as address:
        url = f"http://{address}/metrics"
        exporter.rename = lambda page: page.replace("http_requests", "calls").replace(
            "http_request_", "call_"
        )
        pages = ("--pages", url, url, "--watch", "0s")
        advice = run(*pages)
        assert advice.exit_code == 4
        requests, histogram = re.findall(r"--[a-z]+", advice.output)
        result = run(*pages, requests, "calls_total", histogram, "call_duration_milliseconds")
    assert (result.exit_code, "p99" in result.output) == (3, True), result.output


def test_a_hostile_server_of_an_experiment_reaches_no_terminal(server: Answering, tmp_path: Path) -> None:
    target = {"labels": {"experiment": "shop", "variant": "\x1b[31m[/x]"}, "health": "up"}
    server.bodies = {
        "/-/ready": b"yes",
        "/api/v1/status/runtimeinfo": answer({"startTime": "\x1b]0;title\x07[bold]"}),
        "/api/v1/status/tsdb": answer({"headStats": {"numSeries": 7}}),
        "/api/v1/targets": answer({"activeTargets": [target, {}]}),
    }
    invoke = CliRunner().invoke
    port = server.url.rpartition(":")[2]
    init = ["experiment", "init", "shop", "--in", str(tmp_path), "--port", port]
    assert invoke(dualmetrics_command, init).exit_code == 0
    result = invoke(dualmetrics_command, ["experiment", "status", str(tmp_path / "shop")])
    assert result.exit_code == 0, result.output
    assert r"up since \x1b]0;title\x07[bold]" in result.output
    assert re.search(r"\\x1b\[31m\[/x\] +│ 1 of 1 targets up", result.output)
    server.bodies |= {"/api/v1/status": b"\x1b[31m"}
    for path in ("/api/v1/status/runtimeinfo", "/api/v1/status/tsdb"):
        del server.bodies[path]
    result = invoke(dualmetrics_command, ["experiment", "status", str(tmp_path / "shop")])
    assert (result.exit_code, r"is not a Prometheus" in result.output) == (5, True)
    assert "\x1b" not in result.output
