"""The files of an experiment's directory."""

from __future__ import annotations

import json
from collections.abc import Callable

from dualmetrics.experiments.setup.manifest import Manifest

KEPT_NAMES = (
    "(.+_)?http_(requests_total|connections_active|server_active_requests)"
    "|(.+_)?http_(request_duration_milliseconds|server_request_duration_seconds)(_bucket|_count|_sum)?"
    "|dualmetrics_.+|process_start_time_seconds|target_info"
)
SCRAPE = "15s"
HOST = ("cpu", "memory", "load", "disk", "filesystem", "network")


def prometheus(manifest: Manifest) -> str:
    """One job, a target a variant, and only what is compared."""
    return f"""\
# The experiment {manifest.name}. The labels are given here, so that `up` has them too; honor_labels keeps
# those that a page has itself (DUALMETRICS_EXPERIMENT, DUALMETRICS_VARIANT) from becoming exported_variant.
global:
  scrape_interval: {SCRAPE}
  scrape_timeout: 10s

scrape_configs:
  - job_name: experiment
    honor_labels: true
    honor_timestamps: false
    static_configs:
      - targets: [{json.dumps(manifest.baseline)}]
        labels: {{experiment: {json.dumps(manifest.name)}, variant: baseline, pipeline: page}}
      - targets: [{json.dumps(manifest.candidate)}]
        labels: {{experiment: {json.dumps(manifest.name)}, variant: candidate, pipeline: page}}
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: {json.dumps(KEPT_NAMES)}
        action: keep
"""


def start(manifest: Manifest) -> str:
    """Retention is a matter of flags: Prometheus refuses it in the file."""
    return f"""\
#!/bin/sh
# Prometheus for the experiment {manifest.name} alone, on the loopback interface; Ctrl-C ends it.
# Give the disk a fifth more than retention.size.
set -eu
cd "$(dirname "$0")"
exec "${{PROMETHEUS:-prometheus}}" \\
    --config.file=prometheus.yml \\
    --storage.tsdb.path="$PWD/data" \\
    --storage.tsdb.retention.time=7d \\
    --storage.tsdb.retention.size=10GB \\
    --web.listen-address=127.0.0.1:{manifest.port} \\
    --web.enable-admin-api \\
    --web.enable-lifecycle
"""


def collector(manifest: Manifest) -> str:
    """Host metrics and OTLP in; production and Prometheus out."""
    scrapers = "\n".join(f"      {name}: {{}}" for name in HOST)
    return f"""\
# An OpenTelemetry Collector (distribution "contrib") for the experiment {manifest.name}.
# The keys were checked against the documented schema; this file was not run.
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:4317
      http:
        endpoint: 127.0.0.1:4318
  hostmetrics:
    collection_interval: 30s
    scrapers:
{scrapers}

processors:
  batch: {{}}
  # The apps bring experiment and variant themselves, as resource attributes; the host's metrics have neither.
  attributes/host:
    actions:
      - key: experiment
        value: {json.dumps(manifest.name)}
        action: insert

exporters:
  # Production: a vendor's OTLP endpoint; the key never lies in a file.
  otlphttp/production:
    endpoint: ${{env:PRODUCTION_OTLP_ENDPOINT}}
    headers:
      api-key: ${{env:PRODUCTION_API_KEY}}
    compression: gzip
  # Comparison. Not 8888: there the Collector shows its own telemetry.
  prometheus:
    endpoint: 127.0.0.1:8889
    namespace: collector
    const_labels:
      pipeline: collector
    # Series that rest for longer would be dropped, and be born again later.
    metric_expiration: {round(manifest.duration)}s
    resource_to_telemetry_conversion:
      enabled: true

service:
  pipelines:
    metrics/apps:
      receivers: [otlp]
      processors: [batch]
      exporters: [otlphttp/production, prometheus]
    metrics/host:
      receivers: [hostmetrics]
      processors: [attributes/host, batch]
      exporters: [otlphttp/production, prometheus]
"""


def environment(manifest: Manifest, variant: str) -> str:
    """What a variant's process is started with."""
    return f"""\
# The environment of the {variant}: `set -a; . ./{variant}.env; set +a`, or systemd's EnvironmentFile=
DUALMETRICS_EXPERIMENT={manifest.name}
DUALMETRICS_VARIANT={variant}
OTEL_METRICS_EXPORTER=prometheus,otlp
OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318
"""


def following(manifest: Manifest) -> str:
    """What to do next."""
    hours = manifest.duration / 3600
    return f"""\
# Experiment {manifest.name}

Declared: {hours:g} hours; {1 - manifest.split:.0%} of the traffic to the baseline,
{manifest.split:.0%} to the candidate. Write down the end before you begin: a test that is looked at until it
passes is none.

1. `./start-prometheus.sh` (needs `prometheus`; its page is {manifest.url}). It keeps data for
   7 days and 10 GB; give the disk 12 GB.
2. Start the baseline on {manifest.baseline} with `baseline.env`, the candidate on
   {manifest.candidate} with `candidate.env`. The page must answer there at /metrics; if it needs
   a token, add `authorization` to `prometheus.yml`.
3. Production: run an OpenTelemetry Collector with `collector.yaml`, and give it
   `PRODUCTION_OTLP_ENDPOINT` and `PRODUCTION_API_KEY`. Without one, set the vendor's endpoint in both
   `.env` files; nothing in production depends on this experiment. The file was checked against the
   documentation and not run. To compare what the Collector received rather than the pages, scrape
   127.0.0.1:8889 with `honor_labels: true`.
4. `dualmetrics experiment status {manifest.name}`: are both variants up?
5. After the declared end: `dualmetrics compare {manifest.name} --report report.html`; before it only
   with `--sequential`.
6. `dualmetrics experiment clean {manifest.name} --dry-run`, then without. From cron, for all that is
   over by 7 days: `dualmetrics experiment clean --expired --yes`.
"""


TEMPLATES: dict[str, Callable[[Manifest], str]] = {
    "prometheus.yml": prometheus,
    "start-prometheus.sh": start,
    "collector.yaml": collector,
    "baseline.env": lambda manifest: environment(manifest, "baseline"),
    "candidate.env": lambda manifest: environment(manifest, "candidate"),
    "NEXT.md": following,
}
EXECUTABLE = "start-prometheus.sh"
DATA_DIRECTORY = "data"
