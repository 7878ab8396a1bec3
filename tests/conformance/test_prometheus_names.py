"""Prometheus stores the same series of a page that it scrapes and of a push that it receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualmetrics.exporters.otlp.exporter import otlp_target
from dualmetrics.exporters.prometheus import PrometheusExporter
from dualmetrics.model.snapshot import Family, Snapshot
from tests import backends
from tests.conformance.scrape_and_push import SCRAPED, exports_agree, split_by_export
from tests.conformance.test_translation import families, generating, numbers, snapshot_of
from tests.otlp_prometheus import OtlpPrometheus, prometheus_with_otlp
from tests.waiting import wait_until

pytestmark = [pytest.mark.server, pytest.mark.conformance]


class PageServer:
    """Serves the page of a snapshot, which may change."""

    def __init__(self) -> None:
        self.snapshot = Snapshot(0, (), ())
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = PrometheusExporter(scope_labels="none").render(outer.snapshot)
                self.send_response(200)
                self.send_header("Content-Type", page.content_type)
                self.end_headers()
                self.wfile.writelines(page.pieces)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])


@contextmanager
def serving() -> Iterator[PageServer]:
    page = PageServer()
    thread = threading.Thread(target=page.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield page
    finally:
        page.server.shutdown()
        thread.join()
        page.server.server_close()


def check_exports_agree(database: OtlpPrometheus, page: PageServer, generated: list[Family]) -> None:
    batch = next(numbers)
    page.snapshot = snapshot_of(generated, batch, (("service.name", "shop"),))
    target = otlp_target(database.otlp, False, "http/protobuf", None)
    assert target.export(page.snapshot) == (True, 0, "")
    target.shutdown()
    stored = f'{{batch="{batch}",__name__!="target_info"}}'
    wait_until(
        lambda: exports_agree(database, stored),
        20,
        "scrape and push to agree",
        details=lambda: [
            set(one.items()) ^ set(other.items())
            for one, other in [split_by_export(database.query(stored, time.time()))]
        ],
    )


@backends.takes_long
def test_every_metric_is_stored_alike_by_scrape_and_by_push(tmp_path: Path) -> None:
    with serving() as page, prometheus_with_otlp(tmp_path) as database:
        database.scrape(backends.Target(page.port, dict(SCRAPED)))

        @generating
        @given(st.lists(families(), min_size=15, max_size=40))
        def every_metric(generated: list[Family]) -> None:
            check_exports_agree(database, page, generated)

        every_metric()
