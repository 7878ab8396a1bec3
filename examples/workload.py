"""All four types of metrics in one process. Run it with ``python examples/workload.py``.

Needs the extras ``flask`` and ``host``. It serves on a free port, sends itself a hundred requests, and prints
what a Prometheus would scrape. With OTEL_EXPORTER_OTLP_ENDPOINT set, a Collector receives the same metrics.
"""

from __future__ import annotations

import logging
import threading
import time
import urllib.request

from flask import Flask
from werkzeug.serving import make_server

from dualmetrics_flask import DualMetrics

PRINTED_METRICS = (
    "http_requests_total",  # counter
    "http_request_duration_milliseconds",  # histogram
    "http_connections_active",  # up-down counter
    "system_memory_usage_bytes",  # gauge
)

app = Flask(__name__)
DualMetrics(app, host_metrics=True)


@app.get("/work/<int:number>")
def work(number: int) -> str:
    """Work for a few milliseconds."""
    time.sleep(number % 10 / 1000)
    return "done"


def main() -> None:
    """Start the server, send the requests, and print the lines of the four metrics."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    for number in range(100):
        urllib.request.urlopen(f"{url}/work/{number}").close()
    with urllib.request.urlopen(f"{url}/metrics") as page:
        for line in page.read().decode().splitlines():
            if line.removeprefix("# TYPE ").startswith(PRINTED_METRICS):
                print(line)  # noqa: T201  # the output of this program
    server.shutdown()
    thread.join()
    server.server_close()


if __name__ == "__main__":
    main()
