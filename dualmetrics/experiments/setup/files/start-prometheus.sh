#!/bin/sh
# Start the Prometheus of the experiment @{name}, on the loopback interface only. Ctrl-C stops it.
# The disk needs a fifth more space than retention.size. Retention is set by flags, because Prometheus does not
# accept it in the configuration file.
set -eu
cd "$(dirname "$0")"
exec "${PROMETHEUS:-prometheus}" \
    --config.file=prometheus.yml \
    --storage.tsdb.path="$PWD/data" \
    --storage.tsdb.retention.time=7d \
    --storage.tsdb.retention.size=10GB \
    --web.listen-address=127.0.0.1:@{port} \
    --web.enable-lifecycle
