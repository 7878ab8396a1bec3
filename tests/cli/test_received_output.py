"""Whatever a sender names its services, metrics, labels, units and headers: what is printed is printable."""

from __future__ import annotations

import io
import threading
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from rich.cells import cell_len

from dualmetrics.cli.otlp_receiver import ReceivedRequest
from dualmetrics.cli.receive import MAX_ROWS, ReceivedOutput

texts = st.sampled_from(["[/a-z]+", "[bold]", ":warning:", "\x1b[2J", "a\nb", "\u2028", "x  y"]) | st.text(
    st.characters(codec="utf-8"), max_size=8
)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def message(
    service: str, name: str, unit: str, labels: dict[str, str], points: int = 1
) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    metric = resource.scope_metrics.add().metrics.add(name=name, unit=unit)
    for number in range(points):
        point = metric.gauge.data_points.add(as_double=number)
        for key, value in labels.items():
            point.attributes.add(key=key).value.string_value = value
    return request


def printed(request: ReceivedRequest, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> str:
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        patch.setenv("TERM", "dumb")
        patch.setenv("COLUMNS", "80")
        output = ReceivedOutput(threading.Event(), header_values=True)
        output.print_request(request)
        output.raise_failure()
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(service=texts, name=texts, unit=texts, labels=st.dictionaries(texts, texts, max_size=3), header=texts)
def test_everything_that_is_printed_is_printable(
    stream: type[io.StringIO],
    service: str,
    name: str,
    unit: str,
    labels: dict[str, str],
    header: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = ReceivedRequest(time.time(), {header: header}, message(service, name, unit, labels), "HTTP")
    text = printed(request, stream(), monkeypatch)
    assert text.replace("\n", "").isprintable()
    if stream is io.StringIO:
        assert len(text.splitlines()) == 2, "a heading and one line"
    else:
        assert max(map(cell_len, text.splitlines())) <= 80


def test_a_table_is_bounded_and_lines_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    many = message("shop", "hits", "", {}, points=MAX_ROWS + 1234)
    request = ReceivedRequest(time.time(), {}, many, "gRPC")
    table = printed(request, Terminal(), monkeypatch)
    assert table.count("hits") == MAX_ROWS
    assert "and 1234 more series" in table
    assert printed(request, io.StringIO(), monkeypatch).count("\nshop  hits  gauge  ") == MAX_ROWS + 1234
